"""What may be asked of a program, and what `auto` comes to."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import blobs

from isthmus.core.errors import InvalidInput, NotFound
from isthmus.core.plan import Plan
from isthmus.core.ref import Name
from isthmus.simulate import simulation
from isthmus.simulate.parameters import Facts, settle

LONG = Facts(rows=4000, with_kmers=4000, median_length=8000.0, halves=True)


@pytest.mark.parametrize(("rows", "k_start"), [(1, 1), (7, 7), (10, 8), (400, 8), (450, 9), (3200, 64), (10**6, 64)])
def test_k_start_is_a_fiftieth_of_the_reads_within_bounds(rows, k_start):
    """clamp(N / 50, 8, 64), and never above N."""
    settled = settle("kmeans", {}, Facts(rows, rows, 8000.0, True), "gut.reads@1")

    assert (settled["k"], settled["k_start"]) == (None, k_start)


@pytest.mark.parametrize(
    ("median", "halves", "scale"), [(2000.0, True, "self"), (1999.0, True, "z"), (9000.0, False, "z")]
)
def test_auto_scale_is_self_for_long_reads_with_halves(median, halves, scale):
    """From 2 kb on the halves of reads are long enough to learn from."""
    assert settle("kmeans", {}, Facts(900, 900, median, halves), "x")["scale"] == scale


@pytest.mark.parametrize(
    ("program", "params", "says"),
    [
        ("kmean", {}, "did you mean 'kmeans'"),
        ("kmeans", {"clusters": 3}, "unknown parameter 'clusters'"),
        ("kmeans", {"sede": 3}, "did you mean 'seed'"),
        ("kmeans", {"k": 0}, "k must be from 1"),
        ("kmeans", {"k": "twelve"}, "k must be int, found 'twelve'"),
        ("kmeans", {"k": True}, "k must be int"),
        ("kmeans", {"k": 4001}, "4,001 clusters asked of gut.reads@1, which has 4,000 reads"),
        ("kmeans", {"scale": "selff"}, "did you mean 'self'"),
        ("kmeans", {"merge_threshold": 1.5}, "merge_threshold must be from 0 to 1"),
        ("kmeans", {"starts": 2.5}, "starts must be int"),
    ],
)
def test_what_cannot_be_is_refused_with_what_is_near(program, params, says):
    """Every refusal names the word and what would do."""
    with pytest.raises(InvalidInput, match=says):
        settle(program, params, LONG, "gut.reads@1")


def test_self_without_halves_and_reads_without_kmers_are_refused():
    """What the data cannot give is said before anything runs."""
    with pytest.raises(InvalidInput, match="needs the halves"):
        settle("kmeans", {"scale": "self"}, Facts(10, 10, 9000.0, False), "x")
    with pytest.raises(InvalidInput, match="none of its 10 reads"):
        settle("kmeans", {}, Facts(10, 0, 9000.0, True), "x")
    with pytest.raises(InvalidInput, match="which has 8 reads with k-mers"):
        settle("kmeans", {"k": 9}, Facts(10, 8, 9000.0, True), "x")


def test_the_plan_is_the_same_however_its_values_are_said(make_reads):
    """Defaults spelled out, and a float given as a whole number, are the same plan; another seed is another."""
    x, halves, _ = blobs(500, 6, 2, seed=1)
    lake, ref = make_reads(x, halves)

    def plan(**params) -> Plan:
        return simulation.make_plan("kmeans", ref, lake, into=Name.parse("gut.clusters"), params=params)

    assert plan().id == plan(seed=1, scale="self", starts=10, k=None, merge_threshold=0.8).id
    assert plan(tol=0).id == plan(tol=0.0).id
    assert plan().id != plan(seed=2).id
    assert plan().params["k_start"] == 10
    assert simulation.project(plan(), lake, ranks=2).rows == 500


def test_a_product_that_is_not_there_or_has_no_array_is_refused(make_reads):
    """The source must be a product of an embedding."""
    lake, ref = make_reads(np.ones((20, 3), np.float32))

    with pytest.raises(NotFound):
        simulation.make_plan("kmeans", ref.name.at(9), lake, into=Name.parse("gut.clusters"), params={})
