"""What is said about each read: how clearly it belongs to its cluster, and what speaks against it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isthmus.core.flags import LabelFlag, ReadFlag
from isthmus.kernels.cluster import F32, F64, I32, I64, U8
from isthmus.simulate.programs.centres import Form, squared_distances

CHIMERA_CONFIDENCE = 0.2  # a half sits well inside a cluster when its own confidence is at least this


def confidence_of(distances: F32) -> F32:
    """(B,) float32 in 0..1 from squared distances (K, B) to all centres: (d2 - d1) / (d2 + d1).

    d1 and d2 are the nearest and second nearest. 0 on the line between two centres, 1 on a centre or with one cluster.
    """
    if len(distances) < 2:
        return np.ones(distances.shape[1], np.float32)
    two = np.partition(distances, 1, axis=0)[:2]
    above, below = two[1] - two[0], two[1] + two[0]
    margin: F32 = np.where(below > 0, above / np.where(below > 0, below, np.float32(1)), np.float32(0))
    return margin


def judge_halves(form: Form, first: F32, second: F32, mean: F64) -> I32:
    """(B,) LabelFlag bits from the coordinates (B, d) of both halves; `mean` (d,) is the one `form` is about."""
    nearest, inside = [], []
    for half in (first, second):
        norms = ((half - mean) ** 2).sum(axis=1).astype(np.float32)
        distances = squared_distances(form.scores(half), form.bias, norms)
        nearest.append(distances.argmin(axis=0))
        inside.append(confidence_of(distances) >= CHIMERA_CONFIDENCE)
    disagree = nearest[0] != nearest[1]
    chimera = disagree & inside[0] & inside[1]
    flags = disagree * np.int32(LabelFlag.HALVES_DISAGREE) | chimera * np.int32(LabelFlag.CHIMERA_SUSPECT)
    bits: I32 = flags.astype(np.int32)
    return bits


def rows_with_kmers(flags: I32) -> npt.NDArray[np.bool_]:
    """Reads that take part: they have at least one valid k-mer."""
    present: npt.NDArray[np.bool_] = (flags & int(ReadFlag.NO_KMERS)) == 0
    return present


def rows_with_halves(flags: I32) -> npt.NDArray[np.bool_]:
    """Reads both of whose halves have a profile."""
    present: npt.NDArray[np.bool_] = (flags & int(ReadFlag.NO_KMERS | ReadFlag.HALF_EMPTY)) == 0
    return present


def bases_by_cluster(labels: I32, lengths: I32, k: int) -> I64:
    """(K,) bases of each cluster; label -1 is left out."""
    own = labels >= 0
    bases = np.zeros(k, np.int64)
    np.add.at(bases, labels[own], lengths[own].astype(np.int64))
    return bases


def order_by_bases(bases: I64, reads: I64) -> I64:
    """Old numbers in their new order: falling bases, then falling reads, then the old number."""
    order: I64 = np.lexsort((np.arange(len(bases)), -reads, -bases))
    return order


def renumber(labels: I32, order: I64) -> I32:
    """Labels with new numbers: `order[new] = old`; -1 stays."""
    numbers = np.full(len(order) + 1, -1, np.int32)
    numbers[order] = np.arange(len(order), dtype=np.int32)
    fresh: I32 = numbers[labels]
    return fresh


def unassigned(valid: U8) -> I32:
    """(B,) flags of reads that take no part: unassigned, for they have no k-mers."""
    bits = np.int32(LabelFlag.UNASSIGNED | LabelFlag.NO_KMERS)
    return np.where(valid, np.int32(0), bits).astype(np.int32)
