"""Sums on a power-of-two grid do not depend on their order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.simulate.programs.exact import column_grid, exact_sum, grid_exponent, on_grid, snap


@given(seed=st.integers(0, 10_000), n=st.integers(1, 3000), power=st.integers(-200, 200))
def test_sum_is_the_same_in_any_order_and_any_split(seed, n, power):
    """Shuffled rows and rows dealt over 1 to 7 ranks add up to the same bits, near the true sum."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 3)) * 2.0**power * 10 ** rng.uniform(-6, 0, (n, 1))
    exponent = grid_exponent(float(np.abs(values).max()), n)

    whole = exact_sum(values, exponent)
    shuffled = exact_sum(values[rng.permutation(n)], exponent)
    split = sum(exact_sum(part, exponent) for part in np.array_split(values, 7))

    assert whole.tobytes() == shuffled.tobytes() == np.asarray(split).tobytes()
    assert np.abs(whole - values.sum(axis=0)).max() <= n * 2.0**exponent


@pytest.mark.parametrize("largest", [1.0, 0.75, 3.0, 1e-30, 1e30])
def test_grid_is_fine_enough_and_never_overflows_the_mantissa(largest):
    """All partial sums of n values of the largest size stay under 2^52 grids; the grid is within 4x of the finest."""
    n = 300_000

    exponent = grid_exponent(largest, n)

    assert n * largest / 2.0**exponent <= 2.0**52
    assert n * largest / 2.0**exponent > 2.0**50


def test_rounding_is_to_the_nearest_multiple():
    """Values become the nearest multiples of the grid, ties to even."""
    assert on_grid(np.array([0.3, 0.25, 0.125, -0.4, 0.375]), -2).tolist() == [0.25, 0.25, 0.0, -0.5, 0.5]


def test_columns_on_their_grid_add_up_exactly_in_float64():
    """Rows snapped to 24 bits of their column's largest add up to the same bits in any order; nothing moves far."""
    rng = np.random.default_rng(3)
    before = (rng.normal(size=(5000, 4)) * [1e-3, 1.0, 1e5, 0.0]).astype(np.float32)
    largest = np.abs(before).max(axis=0).astype(float)
    after = before.copy()

    snap(after, column_grid(largest, len(after)))

    sums = after.astype(np.float64).sum(axis=0)
    assert sums.tobytes() == after[rng.permutation(5000)].astype(np.float64).sum(axis=0).tobytes()
    assert (np.abs(after - before).max(axis=0) <= largest * 2.0**-24).all()


def test_no_values_have_a_grid_too():
    """Nothing to add, or only zeros, is no special case for the caller."""
    assert exact_sum(np.zeros((0, 2)), grid_exponent(0.0, 0)).tolist() == [0.0, 0.0]
    assert column_grid(np.zeros(2), 0).tolist() == [1.0, 1.0]
