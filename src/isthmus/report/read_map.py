"""The map of the reads: a fair sample of them, laid out in the plane so that similar composition lies close."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST_READS = 2_000
LEAST_PER_CLUSTER = 12
SEED = 1


def choose(of_row: npt.NDArray[np.int32], *, most: int = MOST_READS, least: int = LEAST_PER_CLUSTER) -> Ints:
    """Rows to draw, rising: each cluster by its share of reads, but at least `least` (or all) of it; -1 is a group too.

    The same rows for the same labels; at most `most` as long as there are fewer than most / least clusters.
    """
    rng = np.random.default_rng([SEED, len(of_row)])
    names, sizes = np.unique(of_row, return_counts=True)
    quota = np.minimum(sizes, least)
    left = max(0, most - int(quota.sum()))
    spare = sizes - quota
    if spare.sum():
        quota = quota + np.minimum(spare, np.floor(spare * min(1.0, left / spare.sum()))).astype(np.int64)
    picked = [
        rng.choice(np.flatnonzero(of_row == name), size=int(n), replace=False)
        for name, n in zip(names, quota, strict=True)
    ]
    return np.sort(np.concatenate([np.zeros(0, np.int64), *picked])).astype(np.int64)


def lay_out(coordinates: npt.NDArray[Any]) -> Floats:
    """Place (n, d) coordinates in the plane: (n, 2), each axis within [0, 1].

    t-SNE (van der Maaten & Hinton 2008) from the two first principal components, seeded. Too few or all equal points
    are placed on a spiral in their order: their distances mean nothing.
    """
    points = np.nan_to_num(np.asarray(coordinates, np.float64))
    if len(points) < 5 or np.ptp(points, axis=0).max(initial=0) == 0:
        return _unit(_spiral(len(points)))
    if points.shape[1] == 1:
        points = np.hstack([points, np.zeros_like(points)])
    spread = _embed(points)
    return _unit(_lengthwise(spread)) if np.isfinite(spread).all() else _unit(_spiral(len(points)))


def _embed(points: Floats) -> Floats:
    # one thread: OpenMP's waiting threads cost more than they bring on a machine that has other work, and the sums of
    # several threads would come in another order each time
    with threadpool_limits(1):
        spread = TSNE(init="pca", random_state=SEED, perplexity=min(30.0, (len(points) - 1) / 3), max_iter=600)
        return np.asarray(spread.fit_transform(points), np.float64)


def centres(places: Floats, cluster: npt.NDArray[np.int32]) -> dict[int, tuple[float, float]]:
    """Where the label of each cluster goes: the point of it that is nearest to the median of its points."""
    found = {}
    for name in np.unique(cluster[cluster >= 0]):
        own = places[cluster == name]
        nearest = own[np.argmin(np.sum((own - np.median(own, axis=0)) ** 2, axis=1))]
        found[int(name)] = (float(nearest[0]), float(nearest[1]))
    return found


def _spiral(n: int) -> Floats:
    step = np.arange(n)
    angle = step * np.pi * (3 - np.sqrt(5))
    spiral: Floats = np.stack([np.sqrt(step) * np.cos(angle), np.sqrt(step) * np.sin(angle)], axis=1)
    return spiral


def _lengthwise(places: Floats) -> Floats:
    """Turned about the middle so that the widest direction is horizontal; distances stay."""
    _, axes = np.linalg.eigh(np.cov(places.T))
    turned: Floats = (places - places.mean(axis=0)) @ axes[:, ::-1]
    return turned


def _unit(places: Floats) -> Floats:
    """Both axes by one factor into [0, 1], centred; one point lies in the middle."""
    if not len(places):
        return places
    low, high = places.min(axis=0), places.max(axis=0)
    size = float((high - low).max()) or 1.0
    fitted: Floats = (places - (low + high) / 2) / size + 0.5
    return fitted
