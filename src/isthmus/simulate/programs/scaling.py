"""Scaling: the map from raw features to the coordinates that are clustered, learned from the rows themselves.

`none` leaves rows as they are, `unit` brings each to length 1, `z` gives each column mean 0 and variance 1. `self` is
relevant component analysis (Shental, Hertz, Weinshall, Pavel 2002) with the two halves of one read as a chunklet: the
covariance of their differences is what varies within one organism, so whitening by it weighs each direction by how
much it tells organisms apart; then the leading principal components, at unit length.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from isthmus.simulate.programs.exact import F32, F64, exact_sum, grid_exponent
from isthmus.simulate.programs.rows import U8
from isthmus.simulate.programs.world import World
from isthmus.simulate.request import BLOCK_ROWS

REFINE_SHRINKAGE = 0.02
_TINY = 1e-12  # eigenvalues below this share of the largest are noise of the arithmetic


@dataclass(frozen=True)
class Scaling:
    """coords = (x - mean) @ matrix, or (x - mean) * matrix where it is one factor by column; with `unit`, at length 1.

    Args: mean (D,) float32; matrix (D, d) or (D,) float32.
    """

    name: str
    mean: F32
    matrix: F32
    unit: bool

    @property
    def dim(self) -> int:
        return int(self.matrix.shape[-1])

    def flat(self, block: F32) -> F32:
        """(n, d) float32 of raw rows (n, D), before they are brought to unit length."""
        coords: F32 = block - self.mean
        return coords @ self.matrix if self.matrix.ndim == 2 else coords * self.matrix


def to_unit_length(coords: F32) -> F32:
    """Rows (n, d) divided by their Euclidean length; rows of zeros stay."""
    lengths = np.sqrt((coords * coords).sum(axis=1, keepdims=True))
    unit: F32 = np.divide(coords, np.where(lengths > 0, lengths, np.float32(1)), dtype=np.float32)
    return unit


@dataclass(frozen=True)
class Moments:
    """Exact sums over the rows that take part: n, mean (D,) and second moment about zero / n (D, D); float64."""

    n: int
    mean: F64
    second: F64

    @property
    def covariance(self) -> F64:
        centred: F64 = self.second - np.outer(self.mean, self.mean)
        return centred


def moments(blocks: Iterable[tuple[F32, U8]], largest: F64, n_blocks: int, world: World) -> Moments:
    """Moments of the rows of all ranks, the same bits on any number of them.

    Each block's product is taken in float64 on columns scaled by a power of two to at most 1, and rounded to one grid.

    Args: blocks: (BLOCK_ROWS, D) rows and which of them take part; largest: (D,) absolute values over all ranks;
          n_blocks: over all ranks.
    """
    _, exponents = np.frexp(largest)
    scale = np.ldexp(1.0, -exponents)
    grid = grid_exponent(float(BLOCK_ROWS), max(n_blocks, 1))
    dim = len(largest)
    total = np.zeros((dim + 1, dim + 1))
    for rows, valid in blocks:
        wide = np.empty((BLOCK_ROWS, dim + 1))
        np.multiply(rows, scale, out=wide[:, :dim])
        wide[:, dim] = 1.0
        wide *= valid[:, None]
        total += exact_sum((wide.T @ wide)[None], grid)
    total = world.total(total)
    n = int(total[dim, dim])
    back = np.ldexp(1.0, exponents)
    return Moments(
        n=n,
        mean=total[:dim, dim] * back / max(n, 1),
        second=total[:dim, :dim] * np.outer(back, back) / max(n, 1),
    )


def plain(name: str, dim: int) -> Scaling:
    """`none` and `unit`: nothing to learn."""
    return Scaling(name, np.zeros(dim, np.float32), np.ones(dim, np.float32), unit=name == "unit")


def z_score(rows: Moments) -> Scaling:
    """Mean 0 and variance 1 by column; a column that does not vary becomes 0."""
    variance = np.diag(rows.covariance)
    varies = variance > _TINY * np.maximum(np.diag(rows.second), np.finfo(np.float64).tiny)
    factor = np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1.0)), 0.0)
    return Scaling("z", rows.mean.astype(np.float32), factor.astype(np.float32), unit=False)


def from_halves(rows: Moments, differences: Moments, *, dim: int) -> Scaling:
    """`self`: whiten by the second moment of half differences, then `dim` principal components, unit length."""
    whitener = inverse_root(shrunk(differences.second, differences.n))
    values, vectors = np.linalg.eigh(whitener @ rows.covariance @ whitener)
    lead = vectors[:, ::-1][:, : min(dim, len(values))]
    signs = np.sign(lead[np.abs(lead).argmax(axis=0), np.arange(lead.shape[1])])
    matrix = whitener @ (lead * signs)
    return Scaling("self", rows.mean.astype(np.float32), matrix.astype(np.float32), unit=True)


def shrunk(covariance: F64, n: int) -> F64:
    """Shrinkage of a covariance from `n` differences towards a multiple of the identity, so that it can be inverted.

    The weight (2 p / n)^2, at most 0.2 (0.5 for fewer than 100 differences), vanishes for thousands of reads. Tried on
    reads of known origin: up to 0.2 hardly changes what is found, and few reads need it.
    """
    p = len(covariance)
    return _mixed(covariance, min(0.2 if n >= 100 else 0.5, (2 * p / max(n, 1)) ** 2))


def refined(scaling: Scaling, within: F64) -> Scaling:
    """The scaling whitened once more by the covariance within clusters (d, d) of its flat coordinates."""
    root = inverse_root(_mixed(within, REFINE_SHRINKAGE))
    matrix = scaling.matrix.astype(np.float64) @ root
    return Scaling(scaling.name, scaling.mean, matrix.astype(np.float32), scaling.unit)


def _mixed(covariance: F64, weight: float) -> F64:
    p = len(covariance)
    mixed: F64 = (1 - weight) * covariance + weight * np.trace(covariance) / p * np.eye(p)
    return mixed


def inverse_root(covariance: F64) -> F64:
    """Symmetric inverse square root; directions without variance keep the factor of the least that has some."""
    values, vectors = np.linalg.eigh(covariance)
    top = float(values[-1]) if len(values) else 0.0
    if top <= 0:
        return np.eye(len(covariance))
    floor = max(float(values[values > _TINY * top].min()), _TINY * top)
    root: F64 = (vectors / np.sqrt(np.maximum(values, floor))) @ vectors.T
    return root
