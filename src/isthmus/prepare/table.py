"""The table of a product of reads: from the rows of finished parts to record batches, and what they tell together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from isthmus.backbone.schema import READS
from isthmus.core.flags import ReadFlag
from isthmus.core.plan import FileInput
from isthmus.prepare.parts import Receipt, Task, read_rows

BATCH_ROWS = 65536
_QUALITY_STEPS = 100  # per unit of quality


class Tally:
    """Sums over the rows that were seen: lengths, qualities, flags, names and reads that occur more than once.

    Holds 8 bytes per read, its key, until `duplicate_reads` is asked for.
    """

    def __init__(self) -> None:
        self._lengths: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._counts: npt.NDArray[np.int64] = np.empty(0, np.int64)
        self._qualities: npt.NDArray[np.int64] = np.zeros(94 * _QUALITY_STEPS, np.int64)
        self._keys: list[npt.NDArray[np.uint64]] = []
        self.no_kmers = self.half_empty = self.duplicate_names = 0

    def add(self, rows: Any, keys: npt.NDArray[np.uint64]) -> None:
        """Add the rows of a part (ROW), and their keys, see `parts.profile_keys`."""
        known = rows["quality"][~np.isnan(rows["quality"])]
        places = np.rint(known.astype(np.float64) * _QUALITY_STEPS).astype(np.int64)
        self._qualities += np.bincount(places, minlength=len(self._qualities))
        self._keys.append(keys[rows["flags"] & int(ReadFlag.NO_KMERS) == 0])
        self.no_kmers += int(np.count_nonzero(rows["flags"] & int(ReadFlag.NO_KMERS)))
        self.half_empty += int(np.count_nonzero(rows["flags"] & int(ReadFlag.HALF_EMPTY)))
        lengths, counts = np.unique(rows["length"], return_counts=True)
        merged, place = np.unique(np.concatenate([self._lengths, lengths]), return_inverse=True)
        sums = np.zeros(len(merged), np.int64)
        np.add.at(sums, place, np.concatenate([self._counts, counts]))
        self._lengths, self._counts = merged.astype(np.int64), sums

    def add_names(self, hashes: Sequence[Any]) -> None:
        """All names of one file, as 64-bit hashes: counts the reads that repeat the name of an earlier one."""
        both = np.concatenate(hashes) if hashes else np.empty(0, np.uint64)
        self.duplicate_names += len(both) - len(np.unique(both))

    def duplicate_reads(self) -> int:
        """Reads with a k-mer that have the length and the profile of an earlier one: copies, from either strand."""
        keys = np.concatenate(self._keys) if self._keys else np.empty(0, np.uint64)
        self._keys.clear()
        keys.sort()
        return int(np.count_nonzero(keys[1:] == keys[:-1]))

    def median_quality(self) -> float | None:
        """Median of the mean qualities, to a hundredth; None where no read has any."""
        n = int(self._qualities.sum())
        if not n:
            return None
        places = np.searchsorted(np.cumsum(self._qualities), [(n - 1) // 2, n // 2], side="right")
        return float(places.mean() / _QUALITY_STEPS)

    def lengths(self) -> dict[str, Any]:
        """min, median, mean, max and N50 (half of all bases lie in reads at least as long), in bases."""
        if not len(self._lengths):
            return {"min": 0, "median": 0, "mean": 0.0, "n50": 0, "max": 0}
        n, bases = int(self._counts.sum()), self._lengths * self._counts
        places = np.searchsorted(np.cumsum(self._counts), [(n - 1) // 2, n // 2], side="right")
        from_long = np.cumsum(bases[::-1])
        n50 = self._lengths[::-1][int(np.searchsorted(from_long, from_long[-1] / 2))]
        return {
            "min": int(self._lengths[0]),
            "median": float(self._lengths[places].mean()),
            "mean": float(bases.sum() / n),
            "n50": int(n50),
            "max": int(self._lengths[-1]),
        }


def batches(tasks: Sequence[Task], receipts: Sequence[Sequence[Receipt]], inputs: Sequence[FileInput]) -> Iterator[Any]:
    """Record batches of `schema.READS` in order of file and record; holds the rows of one part."""
    shard = 0
    for task, parts, one in zip(tasks, receipts, inputs, strict=True):
        first_record = 0
        for receipt in parts:
            if receipt.rows:
                yield from _part_batches(task, receipt, one, shard=shard, first_record=first_record)
                shard += 1
            first_record += receipt.records


def _part_batches(task: Task, receipt: Receipt, one: FileInput, *, shard: int, first_record: int) -> Iterator[Any]:
    rows, ids = read_rows(task, receipt)
    ends = np.concatenate([[0], np.cumsum(rows["id_len"], dtype=np.int64)])
    for lo in range(0, len(rows), BATCH_ROWS):
        part = rows[lo : lo + BATCH_ROWS]
        n = len(part)
        text = ids[ends[lo] : ends[lo + n]]
        offsets = (ends[lo : lo + n + 1] - ends[lo]).astype(np.int32)
        columns = {
            "id": pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(text)),
            "shard": np.full(n, shard, np.int32),
            "row_in_shard": np.arange(lo, lo + n, dtype=np.int32),
            "record": part["record"] + first_record,
            "source": pa.repeat(one.source, n),
            "sample": pa.repeat(one.sample, n),
            "length": part["length"],
            "gc": part["gc"],
            "mean_quality": pa.array(np.ascontiguousarray(part["quality"]), from_pandas=True),
            "n_ambiguous": part["n_ambiguous"],
            "flags": part["flags"],
        }
        arrays = [pa.array(np.ascontiguousarray(c)) if isinstance(c, np.ndarray) else c for c in columns.values()]
        yield pa.RecordBatch.from_arrays(arrays, schema=READS)
