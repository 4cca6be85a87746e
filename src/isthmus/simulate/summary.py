"""What the labels come to, in numbers a person asks for: sizes, agreement, and what each cut-off would keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.core.flags import LabelFlag, ReadFlag
from isthmus.core.plan import Json

CUTOFFS = tuple(round(0.05 * i, 2) for i in range(20))


@dataclass(frozen=True)
class Reads:
    """Facts of N reads in order of rows: length in bases (int64), gc share, ReadFlag bits."""

    length: npt.NDArray[np.int64]
    gc: npt.NDArray[np.float32]
    flags: npt.NDArray[np.int32]


@dataclass(frozen=True)
class Labels:
    """Labels of N reads in order of rows; `halves` tells whether halves were judged at all."""

    cluster: npt.NDArray[np.int32]
    confidence: npt.NDArray[np.float32]
    flags: npt.NDArray[np.int32]
    halves: bool


def summarise(reads: Reads, labels: Labels, *, k: int) -> dict[str, Json]:
    """`clusters`, `cutoffs` and `flagged` of docs/house.md."""
    judged = (reads.flags & int(ReadFlag.NO_KMERS | ReadFlag.HALF_EMPTY)) == 0
    judged = judged & (labels.cluster >= 0) & labels.halves
    agree = judged & ((labels.flags & int(LabelFlag.HALVES_DISAGREE)) == 0)
    return {
        "clusters": [_cluster(reads, labels, judged, agree, number) for number in range(k)],
        "cutoffs": [_cutoff(reads, labels, judged, agree, cut) for cut in CUTOFFS],
        "flagged": {flag.name.lower(): int(((labels.flags & int(flag)) != 0).sum()) for flag in LabelFlag if flag.name},
    }


def _cluster(reads: Reads, labels: Labels, judged: Any, agree: Any, number: int) -> dict[str, Json]:
    own = labels.cluster == number
    length = reads.length[own]
    bases = int(length.sum())
    return {
        "cluster": number,
        "reads": int(own.sum()),
        "bp": bases,
        "gc": float((reads.gc[own].astype(np.float64) * length).sum() / bases) if bases else 0.0,
        "confidence_median": float(np.median(labels.confidence[own])) if own.any() else 0.0,
        "halves_agree": _share(agree & own, judged & own),
    }


def _cutoff(reads: Reads, labels: Labels, judged: Any, agree: Any, cut: float) -> dict[str, Json]:
    """What is left when only reads of at least this confidence count."""
    left = (labels.cluster >= 0) & (labels.confidence >= np.float32(cut))
    total = int(reads.length.sum())
    return {
        "confidence": cut,
        "reads_share": float(left.mean()) if len(left) else 0.0,
        "bp_share": int(reads.length[left].sum()) / total if total else 0.0,
        "halves_agree": _share(agree & left, judged & left),
    }


def _share(part: Any, whole: Any) -> float | None:
    count = int(whole.sum())
    return int(part.sum()) / count if count else None
