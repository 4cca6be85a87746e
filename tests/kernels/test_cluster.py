"""The compiled k-means loops and their plain twin: same bits, and right."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.kernels.cluster import Compiled, Plain
from isthmus.kernels.native import library

BIG = 1.5 * 2.0**52 * 2.0**-30
SHAPES = [(1, 8, 3), (2, 512, 1), (7, 1024, 20), (64, 4096, 20), (12, 1536, 103)]


@pytest.fixture
def compiled() -> Compiled:
    found = library()
    if found is None:
        pytest.skip("no compiled kernels on this machine")
    return Compiled(found)


def _grid(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return (np.rint(rng.normal(size=shape) * 2**18) / 2**18).astype(np.float32)


def _case(k: int, rows: int, dim: int, seed: int = 7):
    rng = np.random.default_rng(seed)
    x, scores = _grid(rng, rows, dim), _grid(rng, k, rows)
    scores[:, ::5] = scores[0, ::5]  # ties in every fifth row
    bias = np.round(rng.normal(size=k)).astype(np.float32) * 0
    valid = (rng.random(rows) > 0.1).astype(np.uint8)
    return rng, x, scores, bias, valid


@pytest.mark.parametrize(("k", "rows", "dim"), SHAPES)
def test_assign_gives_the_same_bits_as_its_twin_and_as_the_definition(compiled, k, rows, dim):
    """Labels, exact sums and counts agree between C, numpy and a loop written from the definition."""
    rng, x, scores, bias, valid = _case(k, rows, dim)
    old = np.where(valid, rng.integers(-1, k, rows), -1).astype(np.int32)
    start = [np.stack([x[old == j].astype(float).sum(axis=0) for j in range(k)])]
    start.append(np.array([(old == j).sum() for j in range(k)], float))
    results = []

    for maths in (compiled, Plain()):
        labels, sums, counts = old.copy(), start[0].copy(), start[1].copy()
        changed = maths.assign(scores, bias, x, valid, labels, sums, counts)
        results.append((changed, labels.tobytes(), sums.tobytes(), counts.tobytes()))

    want = np.where(valid, scores.argmin(axis=0), -1)
    exact = np.stack([x[want == j].astype(float).sum(axis=0) for j in range(k)])
    assert results[0] == results[1]
    assert results[0][0] == (want != old).sum()
    assert np.array_equal(labels, want)
    assert np.array_equal(sums, exact)
    assert np.array_equal(counts, [(want == j).sum() for j in range(k)])


def test_assign_breaks_ties_to_the_lowest_centre(compiled):
    """Where two centres are equally near, the lower number wins, in both implementations."""
    scores = np.array([[2.0, 1.0] * 4, [1.0, 1.0] * 4, [1.0, 3.0] * 4], np.float32)
    for maths in (compiled, Plain()):
        labels = np.full(8, -1, np.int32)

        maths.assign(
            scores, np.zeros(3, np.float32), np.zeros((8, 1), np.float32), np.ones(8, np.uint8), labels,
            np.zeros((3, 1)), np.zeros(3),
        )  # fmt: skip

        assert labels.tolist() == [1, 0] * 4


@pytest.mark.parametrize(("k", "rows", "dim"), SHAPES)
def test_potential_closest_inertia_and_kept_give_the_same_bits_as_their_twins(compiled, k, rows, dim):
    """The other loops agree to the bit as well."""
    rng, x, scores, bias, valid = _case(k, rows, dim)
    norms = (x**2).sum(axis=1)
    closest = (np.abs(_grid(rng, rows)) * valid).astype(np.float32)
    labels = np.where(valid, rng.integers(0, k, rows), -1).astype(np.int32)
    centres = rng.normal(size=(k, dim))
    second = _grid(rng, k, rows)
    results = []

    for maths in (compiled, Plain()):
        near, kept = closest.copy(), np.zeros((k, k), np.int64)
        potential = maths.potential(scores, bias, norms, closest, BIG)
        maths.closest(scores[0], float(bias[0]), norms, near)
        maths.kept(scores, second, bias, labels, kept)
        inertia = maths.inertia(x, centres, labels, BIG)
        results.append((potential.tobytes(), near.tobytes(), inertia, kept.tobytes()))

    assert results[0] == results[1]
    rows_of = [np.flatnonzero(labels == a) for a in range(k)]
    want = [[int(((scores[a] < scores[b]) & (second[a] < second[b]))[rows_of[a]].sum()) for b in range(k)]
            for a in range(k)]  # fmt: skip
    assert kept.tolist() == want
    distance = ((x - centres[labels]) ** 2).sum(axis=1)[labels >= 0].sum()
    assert inertia == pytest.approx(distance, rel=1e-6)
    assert (near == np.minimum(closest, np.maximum(norms + scores[0], 0))).all()


def test_an_array_with_holes_is_refused(compiled):
    """A view that is not contiguous would be read wrongly, so it is an error."""
    with pytest.raises(ValueError, match="contiguous"):
        compiled.closest(np.zeros((8, 2), np.float32)[:, 0], 0.0, np.zeros(8, np.float32), np.zeros(8, np.float32))
