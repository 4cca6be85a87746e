"""Scores are what their definitions say, on tables small enough to work out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from isthmus.report.scores import Labelled, count_cells, judge_genomes, purity, purity_by_cut, score


def reads(
    truth: list[int], cluster: list[int], length: list[int] | None = None, cut: list[int] | None = None
) -> Labelled:
    return Labelled(
        names=[f"genome{i}" for i in range(max(truth) + 1)],
        truth=np.array(truth, np.int64),
        cluster=np.array(cluster, np.int64),
        length=np.array(length or [1_000] * len(truth), np.int64),
        cut=np.array(cut or [1] * len(truth), np.int64),
    )


def test_perfect_clusters_under_other_numbers_score_one() -> None:
    """Cluster numbers are names only: a permutation of the truth is perfect."""
    got = score(reads([0, 0, 1, 1, 2], [2, 2, 0, 0, 1]))

    assert (got.ari, got.nmi, got.homogeneity, got.completeness) == pytest.approx((1, 1, 1, 1))
    assert (got.purity_reads, got.purity_bases) == (1, 1)
    assert got.genomes_recovered == got.labels == got.clusters == 3


def test_scores_of_a_small_table_are_those_worked_out() -> None:
    """Truth 0 0 0 1 1 1 against clusters 0 0 1 1 1 1.

    Pairs together: truth 3 + 3 = 6, clusters 1 + 6 = 7, both 1 + 3 = 4, of 15. Expected 6 x 7 / 15 = 2.8,
    ARI = (4 - 2.8) / (6.5 - 2.8) = 0.3243. Purity (2 + 3) / 6. Homogeneity = 1 - H(T|C) / H(T), with
    H(T|C) = 4/6 x h(1/4) and H(T) = ln 2; completeness = 1 - H(C|T) / H(C), H(C|T) = 1/2 h(1/3), H(C) = h(1/3).
    """

    def h(p: float) -> float:
        return -p * math.log(p) - (1 - p) * math.log(1 - p)

    got = score(reads([0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]))

    homogeneity, completeness = 1 - 4 / 6 * h(1 / 4) / math.log(2), 1 - 0.5 * h(1 / 3) / h(1 / 3)
    assert got.ari == pytest.approx((4 - 2.8) / (6.5 - 2.8))
    assert got.purity_reads == pytest.approx(5 / 6)
    assert got.homogeneity == pytest.approx(homogeneity)
    assert got.completeness == pytest.approx(completeness)
    assert got.nmi == pytest.approx(2 * homogeneity * completeness / (homogeneity + completeness))


def test_purity_by_bases_weighs_long_reads() -> None:
    """One wrong read of 9 kb among two right ones of 1 kb: 2 of 3 reads, and the 9 kb are the majority: 9 of 11."""
    got = score(reads([0, 0, 1], [0, 0, 0], [1_000, 1_000, 9_000]))

    assert got.purity_reads == pytest.approx(2 / 3)
    assert got.purity_bases == pytest.approx(9 / 11)


def test_unassigned_reads_cost_recovery_and_ari_but_not_purity() -> None:
    """Of genome 0 one read of ten has no cluster (90 % there: recovered), of genome 1 two of ten (80 %: not)."""
    got = score(reads([0] * 10 + [1] * 10, [0] * 9 + [-1] + [1] * 8 + [-1] * 2))

    assert [one.recovered for one in got.genomes] == [True, False]
    assert [one.share for one in got.genomes] == pytest.approx([0.9, 0.8])
    assert got.purity_bases == 1
    assert got.ari < 1
    assert got.assigned_reads == pytest.approx(17 / 20)


@pytest.mark.parametrize(("foreign", "recovered"), [(1, True), (2, False)])
def test_recovery_needs_95_per_cent_of_the_cluster(foreign: int, recovered: bool) -> None:
    """19 own reads with one foreign: 19 / 20 = 95 %, recovered; with two: 19 / 21, not."""
    truth = [0] * 19 + [1] * foreign + [1] * 40
    got = score(reads(truth, [0] * 19 + [0] * foreign + [1] * 40))

    genome = next(one for one in got.genomes if one.label == "genome0")
    assert genome.recovered is recovered
    assert genome.purity == pytest.approx(19 / (19 + foreign))


def test_a_genome_in_two_halves_is_not_recovered_and_ties_go_to_the_first() -> None:
    """Half and half: 50 % in the cluster of the lower number."""
    (genome,) = score(reads([0, 0], [1, 0])).genomes

    assert (genome.cluster, genome.share, genome.recovered) == (0, 0.5, False)


def test_nothing_assigned_has_no_purity_and_recovers_nothing() -> None:
    """Purity of nothing is undefined, not 0 and not 1."""
    got = score(reads([0, 1, 1], [-1, -1, -1]))

    assert math.isnan(got.purity_bases)
    assert got.genomes_recovered == 0
    assert [one.cluster for one in got.genomes] == [-1, -1]
    assert got.clusters == 0


def test_cells_hold_every_read_and_base_once() -> None:
    """Cells of a random table sum to its reads and bases, and equal a plain count."""
    rng = np.random.default_rng(11)
    truth, cluster, length = rng.integers(0, 5, 500), rng.integers(-1, 4, 500), rng.integers(1, 90_000, 500)

    cells = count_cells(truth, cluster, length)

    assert (cells.reads.sum(), cells.bases.sum()) == (500, length.sum())
    for t, c, n, bases in zip(cells.truth, cells.cluster, cells.reads, cells.bases, strict=True):
        own = (truth == t) & (cluster == c)
        assert (n, bases) == (np.count_nonzero(own), length[own].sum())


def test_purity_rises_as_the_cut_takes_the_doubtful_read() -> None:
    """Four right reads reach cut-off 2, the wrong one only cut-off 1: purity 4/5, then 1, then nothing is left."""
    got = purity_by_cut(reads([0, 0, 0, 0, 1], [0] * 5, cut=[2, 2, 2, 2, 1]), 3)

    assert got[:2] == pytest.approx([0.8, 1.0])
    assert math.isnan(got[2])


def test_genomes_come_by_falling_bases() -> None:
    """The order of the page's table."""
    cells = count_cells(np.array([0, 1, 2]), np.array([0, 1, 2]), np.array([5, 50, 20]))

    assert [one.bases for one in judge_genomes(["a", "b", "c"], cells)] == [50, 20, 5]
    assert purity(cells.cluster, cells.bases) == 1
