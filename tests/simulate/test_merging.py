"""Merging by halves: cuts through one organism heal, borders between two stay."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

sys.path.insert(0, str(Path(__file__).parent))
from conftest import blobs
from pure import lloyd_from, rows_of, seeds_of

from isthmus.kernels.cluster import Plain, block_maths
from isthmus.simulate.programs.clusters import Clusters, Merge, clusters_in, drop_empty
from isthmus.simulate.programs.merging import (
    kept_counts,
    kept_of,
    list_pairs,
    lower_bound,
    lowest_pair,
    merge_pair,
    merge_until,
)
from isthmus.simulate.programs.spaces import Halves
from isthmus.simulate.programs.world import Alone


def _cluster_unknown_k(x, halves, *, k_start, seed=0, threshold=0.8):
    rows = rows_of(x)
    padded = np.zeros((2, len(rows.coords), x.shape[1]), np.float32)
    padded[:, : len(x)] = halves
    both = Halves(padded, rows.valid)
    _, labels, clusters = lloyd_from(rows, seeds_of(rows, k_start, starts=2, seed=seed))
    whole = np.full(len(rows.coords), -1, np.int32)
    whole[: len(x)] = labels
    drop_empty(whole, clusters)
    clusters = clusters_in(rows, whole, int(whole.max()) + 1, Alone())

    def judge(now, found):
        return kept_of(kept_counts(now, both, found, rows, block_maths(), Alone()), 1.645)

    clusters, kept = merge_until(threshold, whole, clusters, judge=judge, save=lambda _: None)
    return whole[: len(x)], clusters, kept


@pytest.mark.parametrize("k", [2, 5, 9])
def test_separate_clouds_are_found_though_their_number_is_not_told(k):
    """From many more clusters than clouds, merging ends at the clouds."""
    x, halves, truth = blobs(4000, 10, k, seed=k, apart=14.0)

    labels, clusters, kept = _cluster_unknown_k(x, halves, k_start=32)

    assert len(clusters.counts) == k
    assert adjusted_rand_score(truth, labels) > 0.99
    assert kept.bound.min() >= 0.8


def test_one_cloud_without_structure_becomes_one_cluster():
    """Nothing to separate: of ten seeds at least nine end as one cluster."""
    ends = []
    for seed in range(10):
        x, halves, _ = blobs(2000, 10, 1, seed=seed)
        _, clusters, _ = _cluster_unknown_k(x, halves, k_start=16, seed=seed)
        ends.append(len(clusters.counts))

    assert ends.count(1) >= 9


def test_kept_counts_follow_the_definition():
    """Counts equal a loop over reads and pairs: own centres without the read itself, only reads with halves."""
    x, halves, _ = blobs(500, 4, 4, seed=2, apart=3.0)
    rows = rows_of(x)
    padded = np.zeros((2, len(rows.coords), 4), np.float32)
    padded[:, :500] = halves
    valid = rows.valid.copy()
    valid[100:150] = 0
    rng = np.random.default_rng(0)
    labels = np.full(len(rows.coords), -1, np.int32)
    labels[:500] = np.minimum(rng.integers(0, 5, 500), 4)
    labels[499] = 5  # alone in its cluster
    clusters = clusters_in(rows, labels, 6, Alone())

    counts = [
        kept_counts(labels, Halves(padded, valid), clusters, rows, maths, Alone()) for maths in (block_maths(), Plain())
    ]

    want = np.zeros((6, 6), np.int64)
    own = labels[:500]
    for i in [i for i in range(500) if valid[i]]:
        centres = [x[(own == j) & ((np.arange(500) != i) | (j == 5))].astype(float).mean(axis=0) for j in range(6)]
        far = ((halves[:, i, None, :] - np.array(centres)) ** 2).sum(axis=2)
        want[own[i], own[i]] += 1
        for b in [b for b in range(6) if b != own[i]]:
            want[own[i], b] += far[0, own[i]] < far[0, b] and far[1, own[i]] < far[1, b]
    assert counts[0].tolist() == want.tolist()
    assert counts[1].tolist() == want.tolist()


def test_the_share_of_a_pair_is_that_of_the_worse_cluster():
    """Both directions are looked at, and a cluster without halves speaks against nothing."""
    counts = np.array([[10, 9, 10], [4, 8, 8], [0, 0, 0]])

    kept = kept_of(counts, 0.0)

    assert kept.share[0, 1] == kept.share[1, 0] == min(9 / 10, 4 / 8)
    assert kept.share[0, 2] == 1.0
    assert np.allclose(kept.bound, kept.share)
    assert lowest_pair(kept.bound) == (0, 1)
    assert [(one["a"], one["b"], one["kept_share"]) for one in list_pairs(kept, most=2)] == [(0, 1, 0.5), (0, 2, 1.0)]


def test_the_bound_solves_wilsons_equation_and_grows_with_the_evidence():
    """The bound L of p from n lies z standard deviations of L below p; the same share of more reads is worth more."""
    k, n, z = np.array([8, 30, 25, 900]), np.array([8, 30, 30, 1000]), 1.645

    bound = lower_bound(k, n, z)

    assert np.allclose(k / n - bound, z * np.sqrt(bound * (1 - bound) / n))
    assert bound[0] < 0.8 < bound[1]
    assert lower_bound(np.array([90]), np.array([100]), z) < bound[3]


def test_merging_renumbers_labels_and_adds_sums():
    """Cluster 2 goes into 0; higher numbers move down by one; -1 stays."""
    labels = np.array([0, 1, 2, 3, -1], np.int32)
    clusters = Clusters(np.array([[1.0], [2.0], [3.0], [4.0]]), np.array([1.0, 1.0, 1.0, 1.0]))

    merged = merge_pair(labels, clusters, Merge(0, 2, 0.5, 0.4))

    assert labels.tolist() == [0, 1, 0, 2, -1]
    assert merged.sums[:, 0].tolist() == [4.0, 2.0, 4.0]
    assert merged.counts.tolist() == [2.0, 1.0, 1.0]
    assert merged.merges == (Merge(0, 2, 0.5, 0.4),)


def test_empty_clusters_are_dropped_in_order():
    """Numbers close up and labels follow."""
    labels = np.array([1, 3, -1], np.int32)

    left = drop_empty(labels, Clusters(np.arange(4.0)[:, None], np.array([0.0, 1.0, 0.0, 1.0])))

    assert labels.tolist() == [0, 1, -1]
    assert left.sums[:, 0].tolist() == [1.0, 3.0]
