"""What is said about each read: how clearly it belongs to its cluster, and what speaks against it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isthmus.core.flags import LabelFlag, ReadFlag
from isthmus.kernels.cluster import F32, F64, I32, I64, U8
from isthmus.simulate.programs.centres import Form, squared_distances

CHIMERA_RATIO = 0.5  # two clusters explain a suspect's halves at least twice as well as any one does


def confidence_of(form: Form, rows: F32, norms: F32, labels: I32) -> F32:
    """(B,) float32 in 0..1: (d2 - d1) / (d2 + d1), squared distances to the own centre and the nearest other one.

    0 on the line between two clusters (or beyond it, which merging allows), 1 on the centre or where there is one
    cluster. It is confidence in the side of the border that a read lies on, and cannot see a border that is wrong:
    near-identical strains, or a rare organism swallowed by a common one.

    Args: rows (B, d) with `norms` (B,) as `form` wants them; labels (B,), -1 gives 0.
    """
    distances = squared_distances(form.scores(rows), form.bias, norms)
    some = np.flatnonzero(labels >= 0)
    confidence = np.zeros(len(labels), np.float32)
    if len(distances) < 2:
        confidence[some] = 1
        return confidence
    own = distances[labels[some], some]
    distances[labels[some], some] = np.inf
    other = distances[:, some].min(axis=0)
    both = own + other
    margin = np.where(both > 0, (other - own) / np.where(both > 0, both, np.float32(1)), np.float32(0))
    confidence[some] = np.maximum(margin, np.float32(0))
    return confidence


def judge_halves(form: Form, first: F32, second: F32, mean: F64) -> I32:
    """(B,) LabelFlag bits from the flat coordinates (B, d) of both halves; `mean` (d,) is the one `form` is about.

    The halves disagree when they lie nearest to different centres; a suspect of a chimera is a read whose halves do,
    and whose two nearest centres together leave at most CHIMERA_RATIO of what the best single centre leaves.
    """
    distances = []
    for half in (first, second):
        norms = ((half - mean) ** 2).sum(axis=1).astype(np.float32)
        distances.append(squared_distances(form.scores(half), form.bias, norms))
    disagree = distances[0].argmin(axis=0) != distances[1].argmin(axis=0)
    apart = distances[0].min(axis=0) + distances[1].min(axis=0)
    together = (distances[0] + distances[1]).min(axis=0)
    chimera = disagree & (apart <= np.float32(CHIMERA_RATIO) * together)
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


def unassigned(valid: U8, labels: I32) -> I32:
    """(B,) flags of reads without a cluster: they have no k-mers (`valid` is 0), or fit none (label -1)."""
    silent = np.int32(LabelFlag.UNASSIGNED | LabelFlag.NO_KMERS)
    stranger = np.int32(LabelFlag.UNASSIGNED)
    bits: I32 = np.where(valid, np.where(labels < 0, stranger, np.int32(0)), silent).astype(np.int32)
    return bits
