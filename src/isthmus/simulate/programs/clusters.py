"""Clusters: exact sums and counts of their rows, and what was merged on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from isthmus.kernels.cluster import I32
from isthmus.simulate.programs.exact import F64
from isthmus.simulate.programs.rows import Rows
from isthmus.simulate.programs.world import World


@dataclass(frozen=True)
class Merge:
    """Cluster `b` was taken into `a`, for no more than `kept_bound` of the reads of one surely keep their halves."""

    a: int
    b: int
    kept_share: float
    kept_bound: float


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


def clusters_in(rows: Rows, labels: I32, k: int, world: World) -> Clusters:
    """Sums and counts of K clusters in the space of `rows`, over all ranks; exact, for rows lie on their grid."""
    sums = np.zeros((k, rows.dim + 1))
    numbers = np.arange(k)[:, None]
    for place in rows.blocks():
        own = (labels[place] == numbers).astype(np.float64)
        sums[:, :-1] += own @ rows.coords[place].astype(np.float64)
        sums[:, -1] += own.sum(axis=1)
    sums = world.total(sums)
    return Clusters(np.ascontiguousarray(sums[:, :-1]), sums[:, -1].copy())
