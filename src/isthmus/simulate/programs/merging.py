"""Merging: clusters whose reads do not keep both halves on their own side of the line between two centres are one.

Composition varies along a genome, so k-means with many centres cuts large genomes into pieces. A read of a genome cut
in two lies near the cut, and its two halves fall on either side about as often as on one: the share of reads that keep
both halves on their own side tells a cut through one organism from a border between two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Kept:
    """How well pairs of clusters hold apart, (K, K) symmetric, of the worse cluster of each pair; the diagonal is 1.

    Args: share: of reads that keep both halves on their own side; bound: what it is at least, given how few they are.
    """

    share: F64
    bound: F64


def kept_of(counts: I64, z: float) -> Kept:
    """Shares of `kept_counts` and their lower bounds; a cluster of which no read can be judged keeps all."""
    judged = np.broadcast_to(np.diag(counts)[:, None], counts.shape)
    share = np.where(judged > 0, counts / np.maximum(judged, 1), 1.0)
    bound = np.where(judged > 0, lower_bound(counts, judged, z), 1.0)
    for one in (share, bound):
        np.fill_diagonal(one, 1.0)
    return Kept(np.minimum(share, share.T), np.minimum(bound, bound.T))


def lower_bound(k: I64, n: I64, z: float) -> F64:
    """One-sided lower bound of a share of which k of n were seen, at z standard deviations (Wilson 1927).

    z = 1.645 is 95 %. A few reads that all keep their halves are no proof: 8 of 8 are credibly 0.75, 30 of 30 0.92.
    """
    size = np.maximum(n, 1).astype(np.float64)
    p = k / size
    root = np.sqrt(p * (1 - p) / size + z * z / (4 * size * size))
    bound: F64 = (p + z * z / (2 * size) - z * root) / (1 + z * z / size)
    return bound


def lowest_pair(bound: F64) -> tuple[int, int]:
    """The pair a < b with the lowest bound, ties to the lowest numbers."""
    k = len(bound)
    upper = np.where(np.triu(np.ones((k, k), bool), 1), bound, np.inf)
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
    judge: Callable[[I32, Clusters], Kept],
    save: Callable[[Clusters], None],
) -> tuple[Clusters, Kept]:
    """Merge the pair with the lowest bound of its kept share until none is below `threshold`.

    Args:    labels: renumbered in place; judge: `kept_counts` and `kept_of` them; save: told after each merge.
    Returns: the clusters that are left and how well they hold apart.
    """
    while True:
        kept = judge(labels, clusters)
        if len(kept.bound) < 2:
            return clusters, kept
        a, b = lowest_pair(kept.bound)
        if kept.bound[a, b] >= threshold:
            return clusters, kept
        merge = Merge(a, b, float(kept.share[a, b]), float(kept.bound[a, b]))
        clusters = merge_pair(labels, clusters, merge)
        save(clusters)


def list_pairs(kept: Kept, *, most: int) -> list[dict[str, float]]:
    """a, b, kept_share and kept_bound of all pairs a < b, lowest bound first, at most `most`."""
    a, b = np.triu_indices(len(kept.bound), 1)
    order = np.lexsort((b, a, kept.bound[a, b]))[:most]
    return [
        {
            "a": int(a[i]),
            "b": int(b[i]),
            "kept_share": float(kept.share[a[i], b[i]]),
            "kept_bound": float(kept.bound[a[i], b[i]]),
        }
        for i in order
    ]
