"""The rows of one rank, in fixed blocks counted from global row 0: raw as they lie on disk, and scaled in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.core.errors import Corrupt
from isthmus.simulate.programs.exact import (
    F32,
    F64,
    column_grid,
    exact_sum,
    grid_exponent,
    rounding_constant,
    snap,
)
from isthmus.simulate.programs.world import World
from isthmus.simulate.request import BLOCK_ROWS

U8 = npt.NDArray[np.uint8]
Between = Callable[[int, int], npt.NDArray[Any]]


class RawRows:
    """Rows `first_row` to `first_row + rows` of an array, block by block, streamed from memory maps.

    Args: between: rows lo..hi of the whole array, (n, D); dim: D.
    """

    def __init__(self, between: Between, first_row: int, rows: int, dim: int) -> None:
        if first_row % BLOCK_ROWS and rows:
            raise ValueError(f"a rank's rows begin at {first_row}, which is no multiple of {BLOCK_ROWS}")
        self._between = between
        self.first_row, self.rows, self.dim = first_row, rows, dim
        self.n_blocks = -(-rows // BLOCK_ROWS)

    def block(self, index: int) -> F32:
        """(BLOCK_ROWS, D) float32; the last block of all is padded with zeros, so that BLAS sees one shape."""
        lo = self.first_row + index * BLOCK_ROWS
        hi = min(lo + BLOCK_ROWS, self.first_row + self.rows)
        found = self._between(lo, hi)
        if len(found) == BLOCK_ROWS and found.dtype == np.float32:
            return found
        padded = np.zeros((BLOCK_ROWS, self.dim), np.float32)
        padded[: len(found)] = found
        return padded

    def blocks(self) -> Iterator[tuple[slice, F32]]:
        """Each block with its place among this rank's padded rows."""
        for index in range(self.n_blocks):
            yield slice(index * BLOCK_ROWS, (index + 1) * BLOCK_ROWS), self.block(index)


def check_finite(block: F32, first_row: int, what: str) -> None:
    """Raise Corrupt naming the first row of `block` that holds NaN or infinity."""
    if not np.isfinite(block).all():
        bad = int(np.flatnonzero(~np.isfinite(block).all(axis=1))[0])
        raise Corrupt(
            f"{what}, row {first_row + bad:,}: found NaN or infinity; expected finite numbers; make the product again"
        )


def padded_mask(mask: npt.NDArray[np.bool_], n_blocks: int) -> U8:
    """`mask` (rows,) as 0 and 1, padded with 0 to whole blocks."""
    padded = np.zeros(n_blocks * BLOCK_ROWS, np.uint8)
    padded[: len(mask)] = mask
    return padded


@dataclass(frozen=True)
class Rows:
    """This rank's coordinates, and what all ranks agree on about everybody's.

    Args:
        first_row: global number of the first row, a multiple of BLOCK_ROWS.
        rows:      rows of this rank, without padding.
        coords:    (blocks * BLOCK_ROWS, d) float32 on the grid of their columns: their sums are exact.
        valid:     (blocks * BLOCK_ROWS,) 1 for rows that take part.
        norms:     squared distance of each row to `mean`, float32.
        n_valid:   rows that take part, over all ranks.
        mean:      (d,) float64 over all valid rows of all ranks.
        spread:    mean over columns of the variance.
        big:       the rounding constant of sums of squared distances.
    """

    first_row: int
    rows: int
    coords: F32
    valid: U8
    norms: F32
    n_valid: int
    mean: F64
    spread: float
    big: float

    @property
    def n_blocks(self) -> int:
        return len(self.coords) // BLOCK_ROWS

    @property
    def dim(self) -> int:
        return int(self.coords.shape[1])

    def groups(self, n: int) -> Iterator[slice]:
        """This rank's padded rows, `n` blocks at a time."""
        for lo in range(0, self.n_blocks, n):
            yield slice(lo * BLOCK_ROWS, min(lo + n, self.n_blocks) * BLOCK_ROWS)

    def blocks(self) -> Iterator[slice]:
        for index in range(self.n_blocks):
            yield slice(index * BLOCK_ROWS, (index + 1) * BLOCK_ROWS)


def aligned(rows: int, dim: int) -> F32:
    """Zeros (rows, dim) float32 that begin on a cache line."""
    raw = np.zeros(rows * dim * 4 + 64, np.uint8)
    start = -raw.ctypes.data % 64
    view: F32 = raw[start : start + rows * dim * 4].view(np.float32).reshape(rows, dim)
    return view


def gather_facts(coords: F32, valid: U8, *, first_row: int, rows: int, world: World) -> Rows:
    """Put `coords` on their grid, in place, and work out what all ranks share about them."""
    n_valid = int(world.total(np.array([valid.sum()], np.int64))[0])
    dim = coords.shape[1]
    largest = world.largest(_largest_by_column(coords))
    grid = column_grid(largest, n_valid)
    for lo in range(0, len(coords), BLOCK_ROWS):
        snap(coords[lo : lo + BLOCK_ROWS], grid)
    sums = np.zeros(dim)
    for lo in range(0, len(coords), BLOCK_ROWS):
        sums += coords[lo : lo + BLOCK_ROWS].sum(axis=0, dtype=np.float64)
    mean = world.total(sums) / max(n_valid, 1)
    norms = _squared_distances(coords, mean)
    norms[valid == 0] = 0.0
    widest = float(world.largest(np.array([norms.max(initial=0.0)], np.float64))[0])
    exponent = grid_exponent(4.01 * widest, n_valid)
    total = world.total(exact_sum(norms[:, None], exponent))
    return Rows(
        first_row=first_row,
        rows=rows,
        coords=coords,
        valid=valid,
        norms=norms,
        n_valid=n_valid,
        mean=mean,
        spread=float(total[0]) / max(n_valid, 1) / dim,
        big=rounding_constant(exponent),
    )


def _largest_by_column(coords: F32) -> F64:
    largest = np.zeros(coords.shape[1])
    for lo in range(0, len(coords), BLOCK_ROWS):
        np.maximum(largest, np.abs(coords[lo : lo + BLOCK_ROWS]).max(axis=0), out=largest)
    return largest


def _squared_distances(coords: F32, mean: F64) -> F32:
    """(n,) squared distances of rows to `mean`, worked out in float64, kept in float32."""
    result = np.zeros(len(coords), np.float32)
    for lo in range(0, len(coords), BLOCK_ROWS):
        result[lo : lo + BLOCK_ROWS] = ((coords[lo : lo + BLOCK_ROWS] - mean) ** 2).sum(axis=1)
    return result
