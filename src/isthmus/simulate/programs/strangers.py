"""Reads that fit no cluster: the whole read and both halves lie far from the centre of the cluster they fell into.

A rare organism among many reads of a common one has no cluster of its own to fall into, or one too small to be
believed; its reads then stand out of the common one's. What a ratio of 8 finds, and costs, is in docs/quality.md.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isthmus.kernels.cluster import F32, F64, I32
from isthmus.simulate.programs.spaces import Halves, Space
from isthmus.simulate.programs.world import World

Flags = npt.NDArray[np.bool_]


def strangers(space: Space, centres: F64, labels: I32, lengths: I32, *, ratio: float, world: World) -> Flags:
    """(rows + padding,) the reads of this rank that fit no cluster; the same whatever the number of ranks.

    A read's distance is the least squared distance, in flat coordinates, of whole and halves to its centre; that of a
    read shorter than the median is scaled down by its length, since profiles of short reads scatter more. It is a
    stranger beyond `ratio` times the median of all reads; but a cluster that would lose more than half of its reads
    keeps them all.

    Args: centres: (K, d) flat; labels: (rows + padding,), -1 for reads that take no part; lengths: (rows,) bases.
    """
    if space.halves is None:
        return np.zeros(len(labels), bool)
    judged = (labels >= 0) & (space.halves.valid != 0)
    n_judged = int(world.total(np.array([judged.sum()], np.int64))[0])
    if not n_judged:
        return np.zeros(len(labels), bool)
    bases = np.zeros(len(labels), np.float32)
    bases[: len(lengths)] = lengths
    usual = kth_smallest(bases[judged], (n_judged - 1) // 2, world)
    distance = _distances(space, space.halves, centres, labels)
    distance *= np.minimum(bases / np.float32(usual), np.float32(1))
    middle = kth_smallest(distance[judged], (n_judged - 1) // 2, world)
    far = judged & (distance > np.float32(ratio) * np.float32(middle))
    found: Flags = far & ~_mostly_far(far, labels, len(centres), world)
    return found


def kth_smallest(values: F32, k: int, world: World) -> float:
    """The k-th smallest (from 0) of the non-negative float32 `values` of all ranks, exactly, by halving its bits."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    low, high = 0, 0x7F800000  # of zero and of infinity: non-negative floats sort as their bits
    while low < high:
        middle = (low + high) // 2
        if int(world.total(np.array([(bits <= middle).sum()], np.int64))[0]) > k:
            high = middle
        else:
            low = middle + 1
    return float(np.array([low], np.uint32).view(np.float32)[0])


def _distances(space: Space, halves: Halves, centres: F64, labels: I32) -> F32:
    """(rows + padding,) float32: the least squared distance of whole and halves to the own centre."""
    near = centres.astype(np.float32)
    found = np.zeros(len(labels), np.float32)
    for place in space.flat.blocks():
        own = near[np.maximum(labels[place], 0)]
        three = (space.flat.coords[place], halves.coords[0, place], halves.coords[1, place])
        found[place] = np.minimum.reduce([((one - own) ** 2).sum(axis=1) for one in three])
    return found


def _mostly_far(far: Flags, labels: I32, k: int, world: World) -> Flags:
    """Reads of clusters more than half of whose reads are far."""
    some = labels >= 0
    counts = np.zeros((2, k), np.int64)
    np.add.at(counts[0], labels[some], 1)
    np.add.at(counts[1], labels[far], 1)
    lost, total = world.total(counts)[::-1]
    losing = np.append(2 * lost > total, False)
    found: Flags = losing[labels]
    return found
