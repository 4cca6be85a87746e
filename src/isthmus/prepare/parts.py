"""Parts: fixed ranges of a file's text, what is computed of each, and the receipt that says it is done.

A record belongs to the part in which its first byte lies. Borders depend on the file alone, never on workers.

    |---- part 0 ----|---- part 1 ----|-- part 2 --|      multiples of part_bytes
    |rec|rec|rec |rec  |rec|rec|rec|rec|rec ...            start of part 1: where the scan of part 0 stopped
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from isthmus.backbone.arrays import HalvesWriter, RowWriter
from isthmus.backbone.checksum import xxh3_128_file
from isthmus.core.errors import Corrupt, NotFound
from isthmus.core.files import read_json, replacing, write_json
from isthmus.kernels.batch import ROW, Batch

PART_BYTES = 64 << 20
FORMAT = "isthmus-part/2"


@dataclass(frozen=True)
class Task:
    """A file to read, or one part of it, with all that a worker needs; travels as JSON.

    Args:
        file:         index of the file in the plan.
        path, name:   where it is read, and what the user called it.
        format, compression, body: see `sniff.Kind`.
        size:         bytes on disk.
        features, cut: what the kernel computes, and its filters (min_length, min_mean_quality, max_n_share).
        part:         the part to compute; None: all parts, in order.
        start:        text offset of its first record, where that is known; None: to be found.
        limit_bytes:  memory for text that one worker may hold.
    """

    file: int
    path: str
    name: str
    format: int
    compression: str
    body: int
    size: int
    features: str
    cut: tuple[int, float, float]
    part_bytes: int
    limit_bytes: int
    parts_folder: str
    array_folder: str
    part: int | None = None
    start: int | None = None

    def stem(self, part: int) -> str:
        return f"{self.file:05d}-{part:05d}"

    def receipt_path(self, part: int) -> Path:
        return Path(self.parts_folder) / f"{self.stem(part)}.json"

    def rows_path(self, part: int) -> Path:
        return Path(self.parts_folder) / f"{self.stem(part)}.rows"

    def ids_path(self, part: int) -> Path:
        return Path(self.parts_folder) / f"{self.stem(part)}.ids"

    def keys_path(self, part: int) -> Path:
        return Path(self.parts_folder) / f"{self.stem(part)}.keys"


@dataclass(frozen=True)
class Receipt:
    """One part is done: what it holds and where.

    Args:
        start, stop: text offsets of its first record and of the first record behind it; -1 where none begins in it.
        text_end:    length of the file's whole text, where the part reached its end; else -1.
        records, bases_in, bases_out, dropped: counts; dropped by too_short, low_quality, many_n.
        rows:        records kept; 0: the part has no files.
        files:       path -> (bytes, xxh3-128) of shard, halves, rows, ids and keys, in this order.
        cpu_seconds, wall_seconds: what it took.
    """

    file: int
    part: int
    start: int
    stop: int
    text_end: int
    records: int
    bases_in: int
    bases_out: int
    dropped: tuple[int, int, int]
    rows: int
    files: Mapping[str, tuple[int, str]]
    cpu_seconds: float
    wall_seconds: float

    def as_json(self) -> dict[str, Any]:
        return {"format": FORMAT, **asdict(self)}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Receipt:
        fields = {key: value[key] for key in Receipt.__dataclass_fields__}
        files = {path: (entry[0], entry[1]) for path, entry in fields.pop("files").items()}
        return Receipt(**{**fields, "dropped": tuple(fields["dropped"])}, files=files)

    def fits(self, expected: int, end: int) -> bool:
        """Whether the part began where the one before stopped (`expected`); `end` is the part's own border."""
        return self.records == 0 if expected >= end else self.start == expected


def read_receipt(task: Task, part: int) -> Receipt | None:
    """The receipt of a finished part whose files are still what they were; None where it is to be computed."""
    try:
        value = read_json(task.receipt_path(part))
        receipt = Receipt.from_json(value) if value.get("format") == FORMAT else None
    except (NotFound, Corrupt, KeyError, TypeError, AttributeError):
        return None
    if receipt is None:
        return None
    for name, (size, digest) in receipt.files.items():
        path = Path(name)
        if not path.is_file() or path.stat().st_size != size or xxh3_128_file(path) != digest:
            return None
    return receipt


@functools.cache
def _multipliers(n: int) -> npt.NDArray[np.uint64]:
    """`n` odd numbers of 64 bits: splitmix64 (Steele, Lea and Flood 2014) from 0 on; uint64 (n,)."""
    out = []
    for i in range(1, n + 1):
        x = i * 0x9E3779B97F4A7C15 % 2**64
        x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        x = (x ^ x >> 27) * 0x94D049BB133111EB % 2**64
        out.append((x ^ x >> 31) | 1)
    return np.array(out, np.uint64)


def profile_keys(whole: npt.NDArray[np.float32], lengths: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """A number per read that is the same for reads of one length and one profile, and hardly ever else.

    A sum of the bits of all features (two at a time where their number is even: no copy) and the length, each times an
    odd number, modulo 2^64.
    Args: whole: (n, dim), contiguous; lengths: (n,). Returns: uint64 (n,).
    """
    bits = whole.view(np.uint32).astype(np.uint64) if whole.shape[1] % 2 else whole.view(np.uint64)
    factors = _multipliers(bits.shape[1] + 1)
    keys: npt.NDArray[np.uint64] = bits @ factors[:-1]
    keys += lengths.astype(np.uint64) * factors[-1]
    return keys


class PartWriter:
    """Streams one part to disk: shard, halves, rows, ids and keys, each by rename; then the receipt, last of all."""

    def __init__(self, task: Task, part: int, dim: int) -> None:
        self._task, self._part, self._dim = task, part, dim
        self._stack = ExitStack()
        self._whole: RowWriter | None = None
        self._records = self._rows = self._bases_in = self._bases_out = 0
        self._dropped = np.zeros(3, np.int64)
        folder = Path(task.array_folder)
        self._shard = folder / f"part-{task.stem(part)}.npy"
        self._halves_path = folder / f"halves-{task.stem(part)}.npy"

    def __enter__(self) -> PartWriter:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._stack.__exit__(kind, error, trace)

    def _open(self) -> None:
        self._whole = self._stack.enter_context(RowWriter(self._shard, self._dim))
        self._halves = self._stack.enter_context(HalvesWriter(self._halves_path, self._dim))
        self._row_file: BinaryIO = self._stack.enter_context(replacing(self._task.rows_path(self._part), durable=False))
        self._id_file: BinaryIO = self._stack.enter_context(replacing(self._task.ids_path(self._part), durable=False))
        self._key_file: BinaryIO = self._stack.enter_context(replacing(self._task.keys_path(self._part), durable=False))

    def append(self, batch: Batch, base: int) -> None:
        """Add what one scan found; `base` is the text offset of its buffer. Record numbers count from 0 here."""
        if len(batch.rows):
            if self._whole is None:
                self._open()
            for column, shift in (("start", base), ("end", base), ("record", self._records)):
                batch.rows[column] += shift
            self._whole.append(batch.whole)  # type: ignore[union-attr]
            self._halves.append(batch.halves)
            self._row_file.write(batch.rows.view(np.uint8).data)
            self._id_file.write(batch.ids.data)
            self._key_file.write(profile_keys(batch.whole, batch.rows["length"]).data)
        self._rows += len(batch.rows)
        self._records += batch.records
        self._bases_in += batch.bases_in
        self._bases_out += batch.bases_out
        self._dropped += batch.dropped

    def finish(self, *, start: int, stop: int, text_end: int, cpu_seconds: float, wall_seconds: float) -> Receipt:
        """Close all files, then write the receipt.

        Shards are flushed to disk, as the lake asks. What is in scratch is not: a receipt holds the checksums of all
        its files, and one that a power cut parted from them does not count.
        """
        self._stack.close()
        of_task = (self._task.rows_path, self._task.ids_path, self._task.keys_path)
        paths = [self._shard, self._halves_path, *(path(self._part) for path in of_task)]
        if not self._rows:
            paths = []
        receipt = Receipt(
            file=self._task.file,
            part=self._part,
            start=start,
            stop=stop,
            text_end=text_end,
            records=self._records,
            bases_in=self._bases_in,
            bases_out=self._bases_out,
            dropped=(int(self._dropped[0]), int(self._dropped[1]), int(self._dropped[2])),
            rows=self._rows,
            files={str(path): (path.stat().st_size, xxh3_128_file(path)) for path in paths},
            cpu_seconds=cpu_seconds,
            wall_seconds=wall_seconds,
        )
        write_json(self._task.receipt_path(self._part), receipt.as_json(), durable=False)
        return receipt


def read_rows(task: Task, receipt: Receipt) -> tuple[np.ndarray[Any, Any], bytes]:
    """Rows (ROW; offsets count from the file's beginning, records from the part's) and ids of a finished part."""
    if not receipt.rows:
        return np.empty(0, ROW), b""
    return np.fromfile(task.rows_path(receipt.part), ROW), task.ids_path(receipt.part).read_bytes()


def read_keys(task: Task, receipt: Receipt) -> npt.NDArray[np.uint64]:
    """The `profile_keys` of a finished part's rows; uint64 (rows,)."""
    return np.fromfile(task.keys_path(receipt.part), np.uint64) if receipt.rows else np.empty(0, np.uint64)
