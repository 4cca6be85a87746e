"""Scores of clusters against a known truth; pure numbers in, numbers out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics

Ints = npt.NDArray[np.int64]

RECOVERED_BASES = 0.90
RECOVERED_PURITY = 0.95


@dataclass(frozen=True)
class Labelled:
    """Reads whose origin is known, one row each.

    Args:
        names:   the labels of the truth file, in the order that `truth` counts them.
        truth:   (N,) index into `names`.
        cluster: (N,) cluster number, -1 for none.
        length:  (N,) bases.
        cut:     (N,) how many of the cut-offs the read's confidence reaches.
    """

    names: Sequence[str]
    truth: Ints
    cluster: Ints
    length: Ints
    cut: Ints


@dataclass(frozen=True)
class Counts:
    """Non-empty cells of the table truth x cluster: cell i has `reads[i]` reads of `truth[i]` in `cluster[i]`."""

    truth: Ints
    cluster: Ints
    reads: Ints
    bases: Ints


@dataclass(frozen=True)
class Genome:
    """How one label of the truth fared; shares are of bases, `cluster` is the one that holds most of it (-1: none)."""

    label: str
    reads: int
    bases: int
    cluster: int
    share: float
    purity: float
    recovered: bool


@dataclass(frozen=True)
class Scores:
    """Agreement of clusters and truth.

    ARI, NMI (arithmetic mean), homogeneity and completeness count reads and take the unassigned as one more group.
    Purity is the share of assigned reads (or bases) that belong to the commonest label of their cluster. A genome is
    recovered where one cluster holds at least 90 % of its bases and is at least 95 % its own (bases).
    """

    reads: int
    labels: int
    clusters: int
    assigned_reads: float
    assigned_bases: float
    ari: float
    nmi: float
    homogeneity: float
    completeness: float
    purity_reads: float
    purity_bases: float
    genomes_recovered: int
    genomes: tuple[Genome, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain values for `--json`, genomes included."""
        return asdict(self)


def count_cells(truth: Ints, cluster: Ints, length: Ints) -> Counts:
    """Count the table truth x cluster of (N,) rows; memory grows with N, not with labels x clusters."""
    width = int(cluster.max(initial=-1)) + 2
    keys, inverse = np.unique(truth * width + cluster + 1, return_inverse=True)
    return Counts(
        truth=keys // width,
        cluster=keys % width - 1,
        reads=np.bincount(inverse, minlength=len(keys)).astype(np.int64),
        bases=np.rint(np.bincount(inverse, weights=length, minlength=len(keys))).astype(np.int64),
    )


def score(reads: Labelled) -> Scores:
    """All scores of `reads`, which must not be empty."""
    cells = count_cells(reads.truth, reads.cluster, reads.length)
    genomes = judge_genomes(reads.names, cells)
    homogeneity, completeness, nmi = metrics.homogeneity_completeness_v_measure(reads.truth, reads.cluster)
    inside = cells.cluster >= 0
    return Scores(
        reads=len(reads.truth),
        labels=len(genomes),
        clusters=len(np.unique(cells.cluster[inside])),
        assigned_reads=_ratio(cells.reads[inside].sum(), cells.reads.sum()),
        assigned_bases=_ratio(cells.bases[inside].sum(), cells.bases.sum()),
        ari=float(metrics.adjusted_rand_score(reads.truth, reads.cluster)),
        nmi=float(nmi),
        homogeneity=float(homogeneity),
        completeness=float(completeness),
        purity_reads=purity(cells.cluster, cells.reads),
        purity_bases=purity(cells.cluster, cells.bases),
        genomes_recovered=sum(one.recovered for one in genomes),
        genomes=genomes,
    )


def purity(cluster: Ints, weight: Ints) -> float:
    """Share of `weight` in clusters that lies in the heaviest cell of its cluster; NaN where no cell has a cluster."""
    inside = cluster >= 0
    best = np.zeros(int(cluster.max(initial=-1)) + 1, np.int64)
    np.maximum.at(best, cluster[inside], weight[inside])
    return _ratio(best.sum(), weight[inside].sum())


def purity_by_cut(reads: Labelled, cuts: int) -> list[float]:
    """Purity (bases) of the reads that reach at least cut-off i, for i in 0 .. cuts - 1; NaN where none does."""
    found = []
    for i in range(cuts):
        keep = reads.cut > i
        cells = count_cells(reads.truth[keep], reads.cluster[keep], reads.length[keep])
        found.append(purity(cells.cluster, cells.bases))
    return found


def judge_genomes(names: Sequence[str], cells: Counts) -> tuple[Genome, ...]:
    """Each label that has reads, by falling bases: its best cluster, its share there, that cluster's purity."""
    in_cluster = np.zeros(int(cells.cluster.max(initial=-1)) + 1, np.int64)
    inside = cells.cluster >= 0
    np.add.at(in_cluster, cells.cluster[inside], cells.bases[inside])
    found = [_judge(names[label], cells, cells.truth == label, in_cluster) for label in np.unique(cells.truth)]
    return tuple(sorted(found, key=lambda one: (-one.bases, one.label)))


def _judge(name: str, cells: Counts, own: npt.NDArray[np.bool_], in_cluster: Ints) -> Genome:
    reads, bases = int(cells.reads[own].sum()), int(cells.bases[own].sum())
    placed = np.flatnonzero(own & (cells.cluster >= 0))
    if not len(placed):
        return Genome(name, reads, bases, -1, 0.0, 0.0, False)
    best = placed[np.argmax(cells.bases[placed])]
    cluster, there = int(cells.cluster[best]), int(cells.bases[best])
    share, pure = _ratio(there, bases), _ratio(there, in_cluster[cluster])
    recovered = share >= RECOVERED_BASES and pure >= RECOVERED_PURITY
    return Genome(name, reads, bases, cluster, share, pure, recovered)


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else float("nan")
