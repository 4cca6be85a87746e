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
        changed = maths.assign(scores[None], bias, x, valid, labels, sums, counts)
        results.append((changed, labels.tobytes(), sums.tobytes(), counts.tobytes()))

    want = np.where(valid, scores.argmin(axis=0), -1)
    exact = np.stack([x[want == j].astype(float).sum(axis=0) for j in range(k)])
    assert results[0] == results[1]
    assert results[0][0] == (want != old).sum()
    assert np.array_equal(labels, want)
    assert np.array_equal(sums, exact)
    assert np.array_equal(counts, [(want == j).sum() for j in range(k)])


def test_several_blocks_at_once_are_the_blocks_one_by_one(compiled):
    """Blocks one behind the other in one call, in C and in numpy, end as each by itself."""
    _, x, scores, bias, valid = _case(7, 512 * 3, 5)
    blocks = np.ascontiguousarray(scores.reshape(7, 3, 512).swapaxes(0, 1))
    results = []

    for maths in (compiled, Plain()):
        labels, sums, counts = np.full(1536, -1, np.int32), np.zeros((7, 5)), np.zeros(7)
        maths.assign(blocks, bias, x, valid, labels, sums, counts)
        results.append((labels.tobytes(), sums.tobytes(), counts.tobytes()))
    labels, sums, counts = np.full(1536, -1, np.int32), np.zeros((7, 5)), np.zeros(7)
    compiled.assign(scores[None], bias, x, valid, labels, sums, counts)

    assert results[0] == results[1] == (labels.tobytes(), sums.tobytes(), counts.tobytes())


def test_assign_breaks_ties_to_the_lowest_centre(compiled):
    """Where two centres are equally near, the lower number wins, in both implementations."""
    scores = np.array([[2.0, 1.0] * 4, [1.0, 1.0] * 4, [1.0, 3.0] * 4], np.float32)[None]
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
    centres, mean = rng.normal(size=(k, dim)), rng.normal(size=dim)
    counts = np.bincount(labels[labels >= 0], minlength=k).astype(float)
    second = _grid(rng, k, rows)
    results = []

    for maths in (compiled, Plain()):
        near, kept = closest.copy(), np.zeros((k, k), np.int64)
        potential = maths.potential(scores, bias, norms, closest, BIG)
        maths.closest(scores[0], float(bias[0]), norms, near)
        own = tuple(maths.own(half, x, centres, mean, counts, labels) for half in (x, x[::-1].copy()))
        maths.kept((scores, second), own, bias, labels, kept)
        inertia = maths.inertia(x, centres, labels, BIG)
        results.append(
            (potential.tobytes(), near.tobytes(), inertia, own[0].tobytes(), own[1].tobytes(), kept.tobytes())
        )

    assert results[0] == results[1]
    want = np.zeros((k, k), np.int64)
    for i in np.flatnonzero(labels >= 0):
        want[labels[i]] += (own[0][i] < scores[:, i]) & (own[1][i] < second[:, i])
    assert (kept == want).all()
    distance = ((x - centres[labels]) ** 2).sum(axis=1)[labels >= 0].sum()
    assert inertia == pytest.approx(distance, rel=1e-6)
    assert (near == np.minimum(closest, np.maximum(norms + scores[0], 0))).all()


def test_an_array_with_holes_is_refused(compiled):
    """A view that is not contiguous would be read wrongly, so it is an error."""
    with pytest.raises(ValueError, match="contiguous"):
        compiled.closest(np.zeros((8, 2), np.float32)[:, 0], 0.0, np.zeros(8, np.float32), np.zeros(8, np.float32))


def test_the_own_centre_leaves_the_row_out(compiled):
    """The own score is that of the mean of the cluster's other rows; a row alone in its cluster keeps the centre."""
    rng = np.random.default_rng(1)
    y, half = rng.normal(size=(2, 8, 3)).astype(np.float32)
    labels = np.array([0, 0, 0, 0, 1, 1, 2, -1], np.int32)
    centres = np.stack([y[labels == j].astype(float).mean(axis=0) for j in range(3)])
    counts, mean = np.array([4.0, 2.0, 1.0]), y.mean(axis=0).astype(float)

    scores = compiled.own(half, y, centres, mean, counts, labels)

    others = [y[[1, 2, 3]], y[[0, 2, 3]], y[[0, 1, 3]], y[[0, 1, 2]], y[[5]], y[[4]], y[[6]]]
    for i, rest in enumerate(others):
        without = rest.astype(float).mean(axis=0)
        want = ((half[i] - without) ** 2).sum() - ((half[i] - mean) ** 2).sum()
        assert scores[i] == pytest.approx(want, rel=1e-5, abs=1e-6)
    assert scores[7] == 0
