"""Merging: clusters whose reads do not keep both halves on their own side of the line between two centres are one.

Composition varies along a genome, so k-means with many centres cuts large genomes into pieces. A read of a genome cut
in two lies near the cut, and its two halves fall on either side about as often as on one: the share of reads that keep
both halves on their own side tells a cut through one organism from a border between two.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from isthmus.kernels.cluster import I32, I64, BlockMaths
from isthmus.simulate.programs.centres import form_of
from isthmus.simulate.programs.clusters import Clusters, Merge
from isthmus.simulate.programs.exact import F64
from isthmus.simulate.programs.rows import Rows
from isthmus.simulate.programs.spaces import Halves
from isthmus.simulate.programs.world import World
from isthmus.simulate.request import BLOCK_ROWS


def kept_counts(labels: I32, halves: Halves, clusters: Clusters, rows: Rows, maths: BlockMaths, world: World) -> I64:
    """(K, K) counts over all ranks: [a, b] reads of a whose halves both lie nearer to a than to b; [a, a] reads judged.

    Only reads with two halves are judged, and each against the centre that the other reads of its cluster have: a read
    would otherwise vouch for itself, the more so the smaller its cluster.
    """
    centres, k = clusters.centres, len(clusters.counts)
    form = form_of(centres, rows.mean)
    kept = np.zeros((k, k), np.int64)
    first, second = np.empty((2, k, BLOCK_ROWS), np.float32)
    for place in rows.blocks():
        judged = np.where(halves.valid[place], labels[place], np.int32(-1))
        one, two = halves.coords[0, place], halves.coords[1, place]
        form.scores(one, out=first)
        form.scores(two, out=second)
        own = [maths.own(half, rows.coords[place], centres, rows.mean, clusters.counts, judged) for half in (one, two)]
        maths.kept((first, second), (own[0], own[1]), form.bias, judged, kept)
    kept[np.arange(k), np.arange(k)] = 0
    for place in rows.blocks():
        judged = labels[place][(halves.valid[place] != 0) & (labels[place] >= 0)]
        kept[np.arange(k), np.arange(k)] += np.bincount(judged, minlength=k)
    return world.total(kept)


def kept_shares(counts: I64) -> F64:
    """(K, K) symmetric: share of reads that keep both halves, of the worse cluster of each pair; the diagonal is 1.

    A cluster of which no read can be judged keeps all.
    """
    judged = np.diag(counts).astype(np.float64)
    shares = np.where(judged[:, None] > 0, counts / np.maximum(judged, 1.0)[:, None], 1.0)
    np.fill_diagonal(shares, 1.0)
    worse: F64 = np.minimum(shares, shares.T)
    return worse


def lowest_pair(shares: F64) -> tuple[int, int]:
    """The pair a < b with the lowest share, ties to the lowest numbers."""
    k = len(shares)
    upper = np.where(np.triu(np.ones((k, k), bool), 1), shares, np.inf)
    a, b = divmod(int(upper.argmin()), k)
    return a, b


def merge_pair(labels: I32, clusters: Clusters, merge: Merge) -> Clusters:
    """Take b into a; `labels` are renumbered in place."""
    labels[labels == merge.b] = merge.a
    labels[labels > merge.b] -= 1
    sums, counts = clusters.sums.copy(), clusters.counts.copy()
    sums[merge.a] += sums[merge.b]
    counts[merge.a] += counts[merge.b]
    return Clusters(np.delete(sums, merge.b, axis=0), np.delete(counts, merge.b), (*clusters.merges, merge))


def merge_until(
    threshold: float,
    labels: I32,
    clusters: Clusters,
    *,
    judge: Callable[[I32, Clusters], I64],
    save: Callable[[Clusters], None],
) -> tuple[Clusters, F64]:
    """Merge the pair with the lowest kept share until none is below `threshold`.

    Args:    labels: renumbered in place; judge: `kept_counts` of labels and clusters; save: told after each merge.
    Returns: the clusters that are left and their kept shares (K, K).
    """
    while True:
        shares = kept_shares(judge(labels, clusters))
        if len(shares) < 2:
            return clusters, shares
        a, b = lowest_pair(shares)
        if shares[a, b] >= threshold:
            return clusters, shares
        clusters = merge_pair(labels, clusters, Merge(a, b, float(shares[a, b])))
        save(clusters)


def list_pairs(shares: F64, *, most: int) -> list[tuple[int, int, float]]:
    """(a, b, kept share) of all pairs a < b, lowest first, at most `most`."""
    a, b = np.triu_indices(len(shares), 1)
    order = np.lexsort((b, a, shares[a, b]))[:most]
    return [(int(a[i]), int(b[i]), float(shares[a[i], b[i]])) for i in order]
