"""Export: one version of a product as CSV, Parquet or a plain `.npy`, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from isthmus.backbone.lake import Lake
from isthmus.core.errors import InvalidInput, NotFound
from isthmus.core.files import replacing
from isthmus.core.ref import Ref

FORMATS = ("csv", "parquet", "npy")
LABEL_COLUMNS = ("id", "source", "cluster", "confidence", "flags")
_ROWS = 65_536


def export(lake: Lake, ref: Ref, *, form: str, to: Path, truth: Mapping[str, str] | None = None) -> int:
    """Write `ref` to the file `to` and return its rows.

    `csv` and `parquet` hold the table (labels: id, source, cluster, confidence, flags), with a column `truth` where
    `truth` maps ids to labels (null for an id it does not know); `npy` holds the (N, D) array.
    Holds one batch in memory. Checksums of what is given out are compared first.
    Raises InvalidInput, NotFound where the product has no array, Corrupt, WontFit; `to` is as before then.
    """
    if to.is_dir():
        raise InvalidInput(f"{to} is a folder; give the path of a file, as in {to / f'{ref.product}.{form}'}")
    if form == "npy":
        return _export_array(lake, ref, to)
    lake.verify(ref, ["table"])
    batches = _batches(lake, ref, truth)
    first = next(batches)
    rows = 0
    with replacing(to) as handle:
        writer = _writer(form, handle, first.schema)
        for batch in (first, *batches):
            writer.write_batch(batch)
            rows += batch.num_rows
        writer.close()
    return rows


def _batches(lake: Lake, ref: Ref, truth: Mapping[str, str] | None) -> Iterator[pa.RecordBatch]:
    """The table of `ref`; an empty batch comes first, so that there is a schema even for no rows."""
    snapshot = lake.read(ref)
    found = snapshot.schema()
    columns = list(LABEL_COLUMNS) if set(LABEL_COLUMNS) <= set(found.names) else found.names
    schema = pa.schema([pa.field(name, found.field(name).type) for name in columns])
    if truth is not None:
        schema = schema.append(pa.field("truth", pa.string()))
    yield pa.RecordBatch.from_pylist([], schema=schema)
    for batch in snapshot.batches(columns):
        arrays = [batch.column(name).cast(schema.field(name).type) for name in columns]
        if truth is not None:
            arrays.append(pa.array([truth.get(one) for one in batch.column("id").to_pylist()], pa.string()))
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _writer(form: str, handle: object, schema: pa.Schema) -> pa.csv.CSVWriter | pa.parquet.ParquetWriter:
    if form == "csv":
        return pa.csv.CSVWriter(handle, schema)
    return pa.parquet.ParquetWriter(handle, schema, compression="zstd")


def _export_array(lake: Lake, ref: Ref, to: Path) -> int:
    snapshot = lake.read(ref)
    if snapshot.manifest is None:
        raise NotFound(f"{ref} has no array; export it as csv or parquet")
    lake.verify(ref, ["shards"])
    rows = snapshot.array()
    header = {"descr": snapshot.manifest.dtype, "fortran_order": False, "shape": rows.shape}
    with replacing(to) as handle:
        np.lib.format.write_array_header_1_0(handle, header)
        for start in range(0, rows.shape[0], _ROWS):
            handle.write(np.ascontiguousarray(rows[start : start + _ROWS]).tobytes())
    return int(rows.shape[0])
