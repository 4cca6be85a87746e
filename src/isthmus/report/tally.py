"""One pass over labels and one over reads: every count that the page shows; ids and features are never all held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from isthmus.core.errors import Corrupt
from isthmus.core.flags import LabelFlag
from isthmus.report.known import Truth

Ints = npt.NDArray[np.int64]

# Lengths are counted in steps of 1 %, each with the sum of its lengths: a median read off them is exact where all reads
# of a step have one length, and within 1 % elsewhere.
LENGTH_STEP = 1.01
LENGTH_BINS = int(np.log(2**31) / np.log(LENGTH_STEP)) + 2
GC_BINS = 100
QUALITY_STEPS = 10  # bins to one Phred unit
QUALITY_BINS = 94 * QUALITY_STEPS
FLAGS = tuple(LabelFlag)


@dataclass
class Labels:
    """What the table of clusters holds. Arrays by cluster have K + 1 rows; the last counts reads without a cluster.

    `of_row` (N,) int32 is the cluster of each row of the arrays, `length_of_row` (N,) int32 its bases; `confidence` and
    `truth` (label numbers) are (N,) and filled only where a truth is given.
    """

    clusters: int
    of_row: npt.NDArray[np.int32]
    length_of_row: npt.NDArray[np.int32]
    reads: Ints
    bases: Ints
    length_counts: Ints
    length_sums: Ints
    flag_reads: Ints
    flag_bases: Ints
    samples: dict[str, int] = field(default_factory=dict)
    sample_reads: list[Ints] = field(default_factory=list)
    sample_bases: list[Ints] = field(default_factory=list)
    confidence: npt.NDArray[np.float32] | None = None
    truth: Ints | None = None


@dataclass
class Reads:
    """What the table of reads holds; `gc` is (K + 1, GC_BINS) reads, `quality` (QUALITY_BINS,) reads that have one."""

    gc: Ints
    quality: Ints


def starts_of(batches: Iterable[pa.RecordBatch]) -> Ints:
    """(S + 1,) first row of each shard that the column `shard` names, and the number of rows.

    Counted from the table itself: labels may point into the shards of their own array or into those of the reads.
    """
    rows = np.zeros(0, np.int64)
    for batch in batches:
        found = np.bincount(_ints(batch, "shard"), minlength=len(rows))
        rows = found + np.pad(rows, (0, len(found) - len(rows)))
    return np.concatenate([[0], np.cumsum(rows)]).astype(np.int64)


def tally_labels(batches: Iterable[pa.RecordBatch], starts: Ints, clusters: int, truth: Truth | None) -> Labels:
    """Count the table of clusters.

    Args:   batches: with the columns of `label_columns`, in any order of rows.
            starts:  `starts_of` the same table.
    Cost:   8 bytes a read, 20 more with a truth; otherwise independent of the number of reads.
    Raises: Corrupt where a row points outside the array, or a row of the array has no or two labels.
    """
    rows = int(starts[-1])
    labels = _empty_labels(rows, clusters, truth is not None)
    for batch in batches:
        row = rows_of(batch, starts)
        cluster = _ints(batch, "cluster")
        if len(cluster) and (cluster.max() >= clusters or cluster.min() < -1):
            raise Corrupt(f"a read has cluster {cluster.max()}, but the commit names {clusters} clusters")
        length = _ints(batch, "length")
        labels.of_row[row], labels.length_of_row[row] = cluster, length
        _count(labels, np.where(cluster < 0, clusters, cluster), length, _ints(batch, "flags"))
        _count_samples(labels, batch.column("sample"), np.where(cluster < 0, clusters, cluster), length)
        if truth is not None and labels.truth is not None and labels.confidence is not None:
            labels.truth[row] = truth.codes(batch.column("id").to_pylist())
            labels.confidence[row] = batch.column("confidence").to_numpy(zero_copy_only=False)
    missing = int(np.count_nonzero(labels.of_row == _NOT_SEEN))
    if missing or int(labels.reads.sum()) != rows:
        raise Corrupt(f"{missing:,} of {rows:,} rows have no label, and {int(labels.reads.sum()):,} labels were read")
    return labels


def label_columns(truth: bool) -> list[str]:
    """The columns that `tally_labels` needs."""
    columns = ["cluster", "length", "flags", "sample", "shard", "row_in_shard"]
    return [*columns, "id", "confidence"] if truth else columns


READ_COLUMNS = ["length", "gc", "mean_quality", "shard", "row_in_shard"]


def tally_reads(batches: Iterable[pa.RecordBatch], starts: Ints, labels: Labels) -> Reads:
    """Count the table of reads, GC by the cluster of each; Corrupt where its rows are not those that were labelled."""
    found = Reads(np.zeros((labels.clusters + 1, GC_BINS), np.int64), np.zeros(QUALITY_BINS, np.int64))
    for batch in batches:
        row = rows_of(batch, starts)
        if not np.array_equal(labels.length_of_row[row], _ints(batch, "length")):
            raise Corrupt("the reads and their labels do not lie in the same order; cluster this product again")
        cluster = labels.of_row[row].astype(np.int64)
        cluster[cluster < 0] = labels.clusters
        gc = np.nan_to_num(batch.column("gc").to_numpy(zero_copy_only=False))
        level = np.minimum((gc * GC_BINS).astype(np.int64), GC_BINS - 1)
        found.gc += np.bincount(cluster * GC_BINS + level, minlength=found.gc.size).reshape(found.gc.shape)
        quality = batch.column("mean_quality").drop_null().to_numpy(zero_copy_only=False)
        step = np.clip((quality * QUALITY_STEPS).astype(np.int64), 0, QUALITY_BINS - 1)
        found.quality += np.bincount(step, minlength=QUALITY_BINS)
    return found


def median_length(counts: Ints, sums: Ints) -> float:
    """Median of lengths counted in (LENGTH_BINS,) steps; NaN where there is none."""
    total = int(counts.sum())
    if not total:
        return float("nan")
    at = int(np.searchsorted(np.cumsum(counts), (total + 1) // 2))
    return float(sums[at] / counts[at])


def quantile(counts: Ints, share: float) -> float:
    """The value, in bins, that `share` of the reads stay below; within a bin reads are taken as evenly spread."""
    total = int(counts.sum())
    if not total:
        return float("nan")
    sums = np.cumsum(counts)
    at = int(np.searchsorted(sums, total * share))
    return at + float(total * share - (sums[at] - counts[at])) / float(counts[at])


def length_step(length: Ints) -> Ints:
    """The step of LENGTH_BINS that each length falls into."""
    steps: Ints = np.floor(np.log(np.maximum(length, 1)) / np.log(LENGTH_STEP) + 1e-9).astype(np.int64)
    return steps


_NOT_SEEN = -2


def _empty_labels(rows: int, clusters: int, known: bool) -> Labels:
    def zeros(*shape: int) -> Ints:
        return np.zeros(shape, np.int64)

    return Labels(
        clusters=clusters,
        of_row=np.full(rows, _NOT_SEEN, np.int32),
        length_of_row=np.zeros(rows, np.int32),
        reads=zeros(clusters + 1),
        bases=zeros(clusters + 1),
        length_counts=zeros(clusters + 1, LENGTH_BINS),
        length_sums=zeros(clusters + 1, LENGTH_BINS),
        flag_reads=zeros(len(FLAGS)),
        flag_bases=zeros(len(FLAGS)),
        confidence=np.zeros(rows, np.float32) if known else None,
        truth=np.full(rows, -1, np.int64) if known else None,
    )


def rows_of(batch: pa.RecordBatch, starts: Ints) -> Ints:
    """(n,) row of the array that each row of the batch stands for; Corrupt where that lies outside the array."""
    shard, within = _ints(batch, "shard"), _ints(batch, "row_in_shard")
    if len(shard) and (shard.min() < 0 or shard.max() >= len(starts) - 1 or within.min() < 0):
        raise Corrupt(f"a row points to shard {shard.max()}, but the array has {len(starts) - 1}")
    row: Ints = starts[shard] + within
    if np.any(row >= starts[shard + 1]):
        raise Corrupt("a row points behind the end of its shard")
    return row


def _count(labels: Labels, cluster: Ints, length: Ints, flags: Ints) -> None:
    groups = labels.clusters + 1
    labels.reads += np.bincount(cluster, minlength=groups)
    labels.bases += _weighted(cluster, length, groups)
    cell = cluster * LENGTH_BINS + length_step(length)
    shape = labels.length_counts.shape
    labels.length_counts += np.bincount(cell, minlength=groups * LENGTH_BINS).reshape(shape)
    labels.length_sums += _weighted(cell, length, groups * LENGTH_BINS).reshape(shape)
    for i, flag in enumerate(FLAGS):
        own = (flags & flag) != 0
        labels.flag_reads[i] += int(np.count_nonzero(own))
        labels.flag_bases[i] += int(length[own].sum())


def _count_samples(labels: Labels, sample: pa.Array, cluster: Ints, length: Ints) -> None:
    coded = sample.dictionary_encode()
    index = coded.indices.to_numpy(zero_copy_only=False)
    groups = labels.clusters + 1
    for i, name in enumerate(coded.dictionary.to_pylist()):
        if name not in labels.samples:
            labels.samples[name] = len(labels.samples)
            labels.sample_reads.append(np.zeros(groups, np.int64))
            labels.sample_bases.append(np.zeros(groups, np.int64))
        own = index == i
        at = labels.samples[name]
        labels.sample_reads[at] += np.bincount(cluster[own], minlength=groups)
        labels.sample_bases[at] += _weighted(cluster[own], length[own], groups)


def _weighted(cell: Ints, weight: Ints, cells: int) -> Ints:
    # float64 sums of whole numbers are exact below 2**53; one batch stays far below
    return np.rint(np.bincount(cell, weights=weight, minlength=cells)).astype(np.int64)


def _ints(batch: pa.RecordBatch, name: str) -> Ints:
    return np.asarray(batch.column(name).to_numpy(zero_copy_only=False), np.int64)


def flag_counts(labels: Labels) -> dict[str, tuple[int, int]]:
    """Reads and bases that carry each flag, by its name in lower case."""
    return {
        str(flag.name).lower(): (int(reads), int(bases))
        for flag, reads, bases in zip(FLAGS, labels.flag_reads, labels.flag_bases, strict=True)
    }
