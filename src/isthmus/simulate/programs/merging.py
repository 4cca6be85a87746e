"""Merging: clusters whose reads do not keep both halves on their own side of the line between two centres are one.

Composition varies along a genome, so k-means with many centres cuts large genomes into pieces. A read of a genome cut
in two lies near the cut, and its two halves fall on either side about as often as on one: the share of reads that keep
both halves on their own side tells a cut through one organism from a border between two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from isthmus.kernels.cluster import I32, I64, BlockMaths
from isthmus.simulate.programs.centres import form_of
from isthmus.simulate.programs.exact import F32, F64
from isthmus.simulate.programs.rows import U8, Rows
from isthmus.simulate.programs.world import World
from isthmus.simulate.request import BLOCK_ROWS


@dataclass(frozen=True)
class Halves:
    """Coordinates of the two halves of this rank's rows, (2, rows + padding, d), and which rows have both."""

    coords: F32
    valid: U8


@dataclass(frozen=True)
class Merge:
    """Cluster `b` was taken into `a`, because only `kept_share` of the reads of one of them kept their halves."""

    a: int
    b: int
    kept_share: float


@dataclass(frozen=True)
class Clusters:
    """Clusters as they stand: `sums` (K, d) exact, `counts` (K,) reads, and the merges so far, in order.

    Numbers in `merges` are those at the time: after each, higher numbers than `b` moved down by one.
    """

    sums: F64
    counts: F64
    merges: tuple[Merge, ...] = ()

    @property
    def centres(self) -> F64:
        means: F64 = self.sums / np.maximum(self.counts, 1.0)[:, None]
        return means


def drop_empty(labels: I32, clusters: Clusters) -> Clusters:
    """Clusters without the empty ones; `labels` are renumbered in place, in the same order."""
    full = clusters.counts > 0
    numbers = np.append(np.cumsum(full) - 1, -1).astype(np.int32)  # label -1 finds the last entry
    labels[:] = numbers[labels]
    return replace(clusters, sums=clusters.sums[full], counts=clusters.counts[full])


def kept_counts(labels: I32, halves: Halves, centres: F64, rows: Rows, maths: BlockMaths, world: World) -> I64:
    """(K, K) counts over all ranks: [a, b] reads of a whose halves both lie nearer to a than to b; [a, a] reads judged.

    Only reads with two halves are judged.
    """
    form = form_of(centres, rows.mean)
    k = len(centres)
    kept = np.zeros((k, k), np.int64)
    first, second = np.empty((2, k, BLOCK_ROWS), np.float32)
    for block in rows.blocks():
        judged = np.where(halves.valid[block], labels[block], np.int32(-1))
        form.scores(halves.coords[0, block], out=first)
        form.scores(halves.coords[1, block], out=second)
        maths.kept(first, second, form.bias, judged, kept)
        kept[np.arange(k), np.arange(k)] += np.bincount(judged[judged >= 0], minlength=k)
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
    judge: Callable[[I32, F64], I64],
    save: Callable[[Clusters], None],
) -> tuple[Clusters, F64]:
    """Merge the pair with the lowest kept share until none is below `threshold`.

    Args:    labels: renumbered in place; judge: `kept_counts` of labels and centres; save: told after each merge.
    Returns: the clusters that are left and their kept shares (K, K).
    """
    while True:
        shares = kept_shares(judge(labels, clusters.centres))
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
