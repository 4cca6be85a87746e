"""Sums that do not depend on their order: values on a shared power-of-two grid, added in double precision.

A double holds every integer up to 2^53. Where all addends are multiples of one grid g and the sum of their absolute
values stays under 2^52 g, every partial sum is exact, so any number of ranks, blocks and vector lanes adds up to the
same bits (the idea of pre-rounding: Demmel and Nguyen, Fast reproducible floating-point summation, ARITH 2013).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

_SUM_BITS = 52  # sums stay under 2^52 grids: one bit to spare
_COLUMN_BITS = 24  # a float32 holds every multiple of its column's grid up to 2^24 grids
_LOWEST = -960  # exponent of the finest grid; keeps `big` far from overflow and from denormals


def grid_exponent(largest: float, addends: int) -> int:
    """Exponent e of the finest grid 2^e on which `addends` values of at most `largest` add up exactly."""
    if largest == 0.0 or addends == 0:
        return _LOWEST
    return max(_LOWEST, _ceil_log2(largest) + _ceil_log2(float(addends)) - _SUM_BITS)


def rounding_constant(exponent: int) -> float:
    """The number whose addition and subtraction rounds a value of at most 2^51 grids to the grid 2^exponent."""
    return 1.5 * math.ldexp(1.0, 52 + exponent)


def on_grid(values: F64, exponent: int) -> F64:
    """`values` rounded to multiples of 2^exponent, ties to even."""
    big = rounding_constant(exponent)
    rounded: F64 = (values + big) - big
    return rounded


def exact_sum(values: npt.NDArray[Any], exponent: int) -> F64:
    """Sum over axis 0 of `values`, each rounded to the grid 2^exponent first; float64."""
    total: F64 = on_grid(np.asarray(values, np.float64), exponent).sum(axis=0)
    return total


def column_grid(largest: F64, rows: int) -> F64:
    """(D,) grids for columns whose largest absolute values are `largest` (D,): 24 bits each, fewer past 2^28 rows.

    Values on their column's grid add up exactly over `rows` rows with no further rounding, and each is a float32.
    """
    bits = min(_COLUMN_BITS, _SUM_BITS - _ceil_log2(float(max(rows, 1))))
    grids = [math.ldexp(1.0, max(-126, _ceil_log2(one) - bits)) if one > 0 else 1.0 for one in largest.tolist()]
    return np.array(grids)


def snap(values: F32, grid: F64) -> None:
    """Round `values` (n, D) to the grids of their columns, in place."""
    inverse = (1.0 / grid).astype(np.float32)  # powers of two: exact
    np.multiply(values, inverse, out=values)
    np.rint(values, out=values)
    np.multiply(values, grid.astype(np.float32), out=values)


def _ceil_log2(value: float) -> int:
    """The least e with value <= 2^e."""
    mantissa, exponent = math.frexp(value)
    return exponent - 1 if mantissa == 0.5 else exponent
