"""What is said about single reads, and what it adds up to."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.core.flags import LabelFlag, ReadFlag
from isthmus.simulate.programs.centres import form_of, squared_distances
from isthmus.simulate.programs.labels import (
    bases_by_cluster,
    confidence_of,
    judge_halves,
    order_by_bases,
    renumber,
    rows_with_halves,
    rows_with_kmers,
    unassigned,
)
from isthmus.simulate.summary import Labels, Reads, summarise

CENTRES = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 8.0]])
MEAN = np.array([1.0, 2.0])
FORM = form_of(CENTRES, MEAN)


def _norms(rows: np.ndarray) -> np.ndarray:
    return ((rows - MEAN) ** 2).sum(axis=1).astype(np.float32)


def test_scores_give_squared_distances():
    """The form about the mean is the plain squared distance."""
    rows = np.random.default_rng(1).normal(size=(8, 2)).astype(np.float32)

    found = squared_distances(FORM.scores(rows), FORM.bias, _norms(rows))

    assert np.allclose(found, ((CENTRES[:, None] - rows) ** 2).sum(axis=2), atol=1e-5)


def test_confidence_is_1_on_a_centre_0_on_and_beyond_the_border():
    """(d2 - d1) / (d2 + d1) against the nearest other cluster."""
    rows = np.array([[0, 0], [2, 0], [1, 0], [3, 0], [9, 9]], np.float32)
    labels = np.array([0, 0, 0, 0, -1], np.int32)

    found = confidence_of(FORM, rows, _norms(rows), labels)

    assert found == pytest.approx([1.0, 0.0, (9 - 1) / (9 + 1), 0.0, 0.0], abs=1e-6)


def test_one_cluster_is_certain():
    """Without a second cluster there is no border to be near."""
    rows = np.array([[5.0, 5.0], [1.0, 1.0]], np.float32)

    found = confidence_of(form_of(CENTRES[:1], MEAN), rows, _norms(rows), np.array([0, -1], np.int32))

    assert found.tolist() == [1.0, 0.0]


def test_a_chimera_needs_two_clusters_that_explain_its_halves_twice_as_well():
    """Halves on two centres are suspect; halves just either side of a border only disagree; one side is neither."""
    first = np.array([[0.1, 0.0], [1.9, 0.0], [0.5, 0.0]], np.float32)
    second = np.array([[3.9, 0.0], [2.1, 0.0], [0.2, 1.0]], np.float32)

    flags = judge_halves(FORM, first, second, MEAN)

    both = LabelFlag.HALVES_DISAGREE | LabelFlag.CHIMERA_SUSPECT
    assert flags.tolist() == [int(both), int(LabelFlag.HALVES_DISAGREE), 0]
    assert judge_halves(form_of(CENTRES[:1], MEAN), first, second, MEAN).tolist() == [0, 0, 0]


def test_reads_without_kmers_take_no_part_and_say_why():
    """The flags of reads decide who is clustered and whose halves are judged."""
    flags = np.array([0, ReadFlag.NO_KMERS, ReadFlag.HALF_EMPTY], np.int32)

    assert rows_with_kmers(flags).tolist() == [True, False, True]
    assert rows_with_halves(flags).tolist() == [True, False, False]
    silent, stranger = int(LabelFlag.UNASSIGNED | LabelFlag.NO_KMERS), int(LabelFlag.UNASSIGNED)
    assert unassigned(np.array([1, 0, 1], np.uint8), np.array([3, -1, -1], np.int32)).tolist() == [0, silent, stranger]


def test_clusters_are_numbered_by_falling_bases():
    """Bases first, then reads, then the old number; -1 stays."""
    labels = np.array([0, 1, 1, 2, 3, -1], np.int32)
    bases = bases_by_cluster(labels, np.array([10, 20, 30, 10, 10, 99], np.int32), 4)

    order = order_by_bases(bases, np.array([1, 2, 2, 1]))

    assert bases.tolist() == [10, 50, 10, 10]
    assert order.tolist() == [1, 2, 0, 3]
    assert renumber(labels, order).tolist() == [2, 0, 0, 1, 3, -1]


def test_the_summary_adds_up():
    """Sizes, agreement and cut-offs, worked out by hand for five reads."""
    reads = Reads(
        np.array([100, 300, 200, 400, 50]),
        np.array([0.5, 0.3, 0.4, 0.6, 0.0], np.float32),
        np.array([0, 0, 0, ReadFlag.HALF_EMPTY, ReadFlag.NO_KMERS], np.int32),
    )
    disagree = int(LabelFlag.HALVES_DISAGREE)
    lost = int(LabelFlag.UNASSIGNED | LabelFlag.NO_KMERS)
    labels = Labels(
        np.array([0, 0, 1, 1, -1], np.int32),
        np.array([0.9, 0.1, 0.5, 0.6, 0.0], np.float32),
        np.array([0, disagree, 0, 0, lost], np.int32),
        halves=True,
    )

    found = summarise(reads, labels, k=2)

    first, second = found["clusters"]
    assert (first["reads"], first["bp"], first["halves_agree"]) == (2, 400, 0.5)
    assert first["gc"] == pytest.approx((0.5 * 100 + 0.3 * 300) / 400)
    assert (second["reads"], second["bp"], second["halves_agree"]) == (2, 600, 1.0)
    half = next(one for one in found["cutoffs"] if one["confidence"] == 0.5)
    assert (half["reads_share"], half["bp_share"], half["halves_agree"]) == (3 / 5, 700 / 1050, 1.0)
    assert found["cutoffs"][0]["reads_share"] == 4 / 5
    assert found["flagged"] == {"halves_disagree": 1, "chimera_suspect": 0, "unassigned": 1, "no_kmers": 1}
