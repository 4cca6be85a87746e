"""Rows of a product as Parquet files: written by streaming and flushed to disk, read back in order of commit."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from isthmus.backbone.checksum import xxh3_128_file
from isthmus.backbone.schema import same_columns
from isthmus.core.errors import Bug, Corrupt
from isthmus.core.files import disk_errors, fsync_folder

GROUP_ROWS = 1 << 17  # rows of a row group; what is held in memory while writing
FILE_ROWS = 1 << 23
BATCH_ROWS = 1 << 16
_REPEATING = ("source", "sample", "cluster", "flags", "shard")  # the columns a dictionary pays for


@dataclass(frozen=True)
class TableFile:
    """One Parquet file of a commit; `path` relative to the product's folder."""

    path: str
    rows: int
    size: int
    xxh3_128: str


def write_tables(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, product: Path, *, stem: str, shard_shift: int
) -> tuple[TableFile, ...]:
    """Write `batches` to fresh files `data/<stem>-<i>.parquet` under `product`, flushed to disk.

    Adds `shard_shift` to the column `shard`. Holds one row group and one batch in memory. An error leaves no file.
    Raises WontFit on a full disk, Bug where a batch does not have `schema` or a null where none may be.
    """
    folder = product / "data"
    folder.mkdir(exist_ok=True)
    paths: list[Path] = []
    with disk_errors(folder):
        try:
            groups = _grouped(_checked(batches, schema), schema)
            more: pa.Table | None = next(groups)
            while more is not None:
                paths.append(folder / f"{stem}-{len(paths):05d}.parquet")
                more = _write_file(paths[-1], more, groups, shard_shift)
            fsync_folder(folder)
            return tuple(_described(path, product) for path in paths)
        except BaseException:
            for path in paths:
                path.unlink(missing_ok=True)
            raise


def move_tables(
    files: Sequence[TableFile], product: Path, *, stem: str, shard_shift: int, schema: pa.Schema
) -> tuple[TableFile, ...]:
    """The rows of `files` under another stem, `shard_shift` added to `shard`; the old files are gone."""
    if not shard_shift:
        for i, file in enumerate(files):
            (product / file.path).rename(product / "data" / f"{stem}-{i:05d}.parquet")
        fsync_folder(product / "data")
        return tuple(TableFile(f"data/{stem}-{i:05d}.parquet", f.rows, f.size, f.xxh3_128) for i, f in enumerate(files))
    moved = write_tables(read_tables(product, files), schema, product, stem=stem, shard_shift=shard_shift)
    remove_tables(files, product)
    return moved


def remove_tables(files: Sequence[TableFile], product: Path) -> None:
    """Delete files that no commit names; a failure to delete is none of the caller's."""
    for file in files:
        with suppress(OSError):
            (product / file.path).unlink()


def read_tables(
    product: Path, files: Iterable[TableFile] | Iterable[str], columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Batches of at most BATCH_ROWS rows, file after file. Raises Corrupt where a file is missing or unreadable."""
    for file in files:
        path = product / (file.path if isinstance(file, TableFile) else file)
        try:
            with pq.ParquetFile(path) as opened:
                yield from opened.iter_batches(BATCH_ROWS, columns=None if columns is None else list(columns))
        except FileNotFoundError:
            raise Corrupt(f"{path}: found no file; expected rows of the product; restore it from a copy") from None
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            if isinstance(error, OSError) and error.errno is not None:  # the disk's own; Arrow's have no number
                raise
            raise Corrupt(
                f"{path}: found unreadable Parquet ({error}); expected rows; restore it from a copy or make the "
                "product again under another name (--into)"
            ) from error


def _write_file(path: Path, first: pa.Table, groups: Iterator[pa.Table], shift: int) -> pa.Table | None:
    """Write up to FILE_ROWS rows; returns the group that did not fit any more, None at the end."""
    more: pa.Table | None = first
    written = 0
    repeating = [name for name in _REPEATING if name in first.schema.names]
    writer = pq.ParquetWriter(path, first.schema, compression="zstd", use_dictionary=repeating)
    try:
        while more is not None and (written == 0 or written + len(more) <= FILE_ROWS):
            writer.write_table(_shifted(more, shift), row_group_size=GROUP_ROWS)
            written += len(more)
            more = next(groups, None)
        writer.close()
    except BaseException:
        with suppress(OSError, pa.ArrowException):
            writer.close()
        raise
    _fsync(path)
    return more


def _checked(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        if not same_columns(batch.schema, schema):
            raise Bug(f"a batch has columns {batch.schema.names} of other names or types than {schema.names}")
        for field, column in zip(schema, batch.columns, strict=True):
            if column.null_count and not field.nullable:
                raise Bug(f"column {field.name!r} has {column.null_count:,} nulls, and may have none")
        yield pa.RecordBatch.from_arrays(batch.columns, schema=schema)


def _grouped(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Tables of GROUP_ROWS rows, the last one smaller; at least one, so that an empty product has a file too."""
    waiting: list[pa.RecordBatch] = []
    rows, given = 0, False
    for batch in batches:
        at = 0
        while at < len(batch):
            piece = batch.slice(at, GROUP_ROWS - rows)
            waiting.append(piece)
            at, rows = at + len(piece), rows + len(piece)
            if rows == GROUP_ROWS:
                yield pa.Table.from_batches(waiting, schema)
                waiting, rows, given = [], 0, True
    if waiting or not given:
        yield pa.Table.from_batches(waiting, schema)


def _shifted(table: pa.Table, shift: int) -> pa.Table:
    if not shift or "shard" not in table.schema.names:
        return table
    i = table.schema.get_field_index("shard")
    moved = pc.add_checked(table.column(i), pa.scalar(shift, table.schema.field(i).type))
    return table.set_column(i, table.schema.field(i), moved)


def _described(path: Path, product: Path) -> TableFile:
    rows = pq.read_metadata(path).num_rows
    return TableFile(path.relative_to(product).as_posix(), rows, path.stat().st_size, xxh3_128_file(path))


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
