"""Counts are exact whatever the order and the batches of the rows, and wrong tables are refused."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from isthmus.core.errors import Corrupt
from isthmus.report import tally


def batch(cluster: list[int], length: list[int], **more: list[Any]) -> pa.RecordBatch:
    n = len(cluster)
    columns: dict[str, Any] = {
        "cluster": pa.array(cluster, pa.int32()),
        "length": pa.array(length, pa.int32()),
        "flags": pa.array([0] * n, pa.int32()),
        "sample": ["s"] * n,
        "shard": pa.array([0] * n, pa.int32()),
        "row_in_shard": pa.array(range(n), pa.int32()),
        **more,
    }
    return pa.RecordBatch.from_pydict(columns)


def counted(batches: list[pa.RecordBatch], clusters: int) -> tally.Labels:
    return tally.tally_labels(batches, tally.starts_of(batches), clusters, None)


def test_reads_and_bases_are_counted_by_cluster_and_the_last_row_has_none() -> None:
    """Clusters 0, 1 and none: 2, 1 and 1 reads with their bases."""
    got = counted([batch([0, 1, 0, -1], [10, 20, 30, 40])], 2)

    assert got.reads.tolist() == [2, 1, 1]
    assert got.bases.tolist() == [40, 20, 40]
    assert got.of_row.tolist() == [0, 1, 0, -1]


def test_rows_may_come_in_any_order_and_in_any_batches() -> None:
    """Rows of two shards, shuffled over two batches, land on their global rows 0 .. 3."""
    one = batch([3, 1], [13, 11], shard=[1, 0], row_in_shard=[1, 1])
    two = batch([0, 2], [10, 12], shard=[0, 1], row_in_shard=[0, 0])

    got = counted([one, two], 4)

    assert got.of_row.tolist() == [0, 1, 2, 3]
    assert got.length_of_row.tolist() == [10, 11, 12, 13]


def test_flags_and_samples_are_counted() -> None:
    """A read with two flags counts under both; samples keep the order of first sight."""
    got = counted([batch([0, 0, 1], [5, 6, 7], flags=[3, 0, 1], sample=["b", "a", "b"])], 2)

    assert tally.flag_counts(got)["halves_disagree"] == (2, 12)
    assert tally.flag_counts(got)["chimera_suspect"] == (1, 5)
    assert got.samples == {"b": 0, "a": 1}
    assert [one.tolist() for one in got.sample_bases] == [[5, 7, 0], [6, 0, 0]]


@pytest.mark.parametrize(
    ("made", "clusters"),
    [
        (batch([0, 5], [1, 1]), 2),
        (batch([0, 0], [1, 1], row_in_shard=[0, 0]), 1),
        (batch([0, 0], [1, 1], row_in_shard=[0, 2]), 1),
        (batch([0, 0], [1, 1], row_in_shard=[-1, 0]), 1),
    ],
    ids=["cluster unknown", "row twice", "row behind the end", "row before the start"],
)
def test_labels_that_do_not_fit_are_corrupt(made: pa.RecordBatch, clusters: int) -> None:
    """Unknown clusters, rows outside the array and rows labelled twice end in Corrupt."""
    with pytest.raises(Corrupt):
        counted([made], clusters)


def reads_batch(length: list[int], gc: list[float], quality: list[float | None]) -> pa.RecordBatch:
    n = len(length)
    return pa.RecordBatch.from_pydict(
        {
            "length": pa.array(length, pa.int32()),
            "gc": pa.array(gc, pa.float32()),
            "mean_quality": pa.array(quality, pa.float32()),
            "shard": pa.array([0] * n, pa.int32()),
            "row_in_shard": pa.array(range(n), pa.int32()),
        }
    )


def test_gc_is_counted_by_cluster_and_missing_quality_is_left_out() -> None:
    """GC 0, 0.5 and 1 fall into the first, the middle and the last bin; a null quality is no quality of 0."""
    labels = counted([batch([0, 1, -1], [10, 20, 30])], 2)
    rows = [reads_batch([10, 20, 30], [0.0, 0.5, 1.0], [10.25, None, 500.0])]

    got = tally.tally_reads(rows, tally.starts_of(rows), labels)

    assert [int(line.argmax()) for line in got.gc] == [0, 50, 99]
    assert got.gc.sum() == 3
    assert np.flatnonzero(got.quality).tolist() == [102, tally.QUALITY_BINS - 1]


def test_reads_in_another_order_than_their_labels_are_corrupt() -> None:
    """Lengths tell that rows do not belong together."""
    labels = counted([batch([0, 0], [10, 20])], 1)
    rows = [reads_batch([20, 10], [0.5, 0.5], [None, None])]

    with pytest.raises(Corrupt, match="same order"):
        tally.tally_reads(rows, tally.starts_of(rows), labels)


def test_median_length_is_exact_for_equal_reads_and_within_a_per_cent_else() -> None:
    """All 150 bp give 150; lognormal lengths give numpy's median within 1 %; nothing gives no number."""
    rng = np.random.default_rng(5)
    spread = rng.lognormal(9, 1, 5_001).astype(int).clip(1).tolist()
    same, wide = counted([batch([0] * 7, [150] * 7)], 1), counted([batch([0] * len(spread), spread)], 1)

    def median(got: tally.Labels, i: int = 0) -> float:
        return tally.median_length(got.length_counts[i], got.length_sums[i])

    assert median(same) == 150
    assert median(wide) == pytest.approx(np.median(spread), rel=0.01)
    assert np.isnan(median(same, 1))


def test_quantiles_lie_within_their_bin() -> None:
    """Ten reads in bin 3, ten in bin 7: the quarter lies in the middle of bin 3, the half at its end."""
    counts = np.zeros(10, np.int64)
    counts[[3, 7]] = 10

    assert [tally.quantile(counts, share) for share in (0.25, 0.5, 0.75)] == [3.5, 4.0, 7.5]
    assert np.isnan(tally.quantile(np.zeros(3, np.int64), 0.5))


def test_gc_of_a_cluster_is_that_of_its_own_reads(make_products: Callable[..., Any]) -> None:
    """Labels and reads lie in two tables: each read of a real pair of products meets its own label."""
    made = make_products(sizes=(40, 30), unassigned=0)
    labels_table, reads_table = made.lake.table(made.clusters), made.lake.table(made.reads)
    starts = tally.starts_of(made.lake.read(made.clusters).batches(["shard"]))
    labels = tally.tally_labels(made.lake.read(made.clusters).batches(tally.label_columns(False)), starts, 2, None)

    got = tally.tally_reads(made.lake.read(made.reads).batches(tally.READ_COLUMNS), starts, labels)

    cluster, gc = labels_table["cluster"].to_numpy(), reads_table["gc"].to_numpy()
    for c in (0, 1):
        expected = np.bincount((gc[cluster == c] * 100).astype(int), minlength=100)
        assert got.gc[c].tolist() == expected.tolist()


def test_memory_does_not_hold_the_reads(make_products_in: Callable[..., Any], tmp_path: Path) -> None:
    """Nine times the reads cost some 8 bytes more each, labels and lengths; ids, features and tables stay outside."""
    peaks = []
    for n in (70_000, 630_000):
        made = make_products_in(tmp_path / str(n), sizes=[n // 10] * 10, unassigned=0, embedder="kmer:3")
        labels, reads = made.lake.read(made.clusters), made.lake.read(made.reads)
        tracemalloc.start()
        starts = tally.starts_of(labels.batches(["shard"]))
        found = tally.tally_labels(labels.batches(tally.label_columns(False)), starts, 10, None)
        tally.tally_reads(reads.batches(tally.READ_COLUMNS), starts, found)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert 8 <= (peaks[1] - peaks[0]) / 560_000 < 12
