"""k-means on one block of rows: the compiled loops of `kmeans.c`, and a plain numpy twin that gives the same bits.

All sums are exact (see `isthmus.simulate.programs.exact`): values lie on a power-of-two grid coarse enough that every
partial sum is a double, so the twin may add in another order and still return the same bits.
"""

from __future__ import annotations

import ctypes
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from isthmus.kernels.native import library

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
U8 = npt.NDArray[np.uint8]


class BlockMaths(Protocol):
    """What k-means needs to know of a block of B rows; both implementations return the same bits.

    `scores` are (K, B) float32 products -2 x.c, `bias` (K,) float32, so that scores + bias orders the centres
    by distance. Every array is C-contiguous, B a multiple of 8. A row that is not `valid` has label -1.
    """

    def assign(self, scores: F32, bias: F32, x: F32, valid: U8, labels: I32, sums: F64, counts: F64) -> int:
        """Label each row of G blocks with its nearest centre, ties to the lowest; returns how many labels changed.

        scores (G, K, B); x (G B, D) float32, valid (G B,); labels (G B,) holds the old labels (-1: none) and receives
        the new; sums (K, D) and counts (K,) float64 are brought up to date by the rows that changed.
        """

    def potential(self, scores: F32, bias: F32, norms: F32, closest: F32, big: float) -> F64:
        """(K,) sums over rows of min(closest, squared distance), each addend rounded by adding and taking `big`."""

    def closest(self, scores: F32, bias: float, norms: F32, closest: F32) -> None:
        """closest (B,) = min(closest, squared distance to the one centre of `scores` (B,)), in place."""

    def inertia(self, x: F32, centres: F64, labels: I32, big: float) -> float:
        """Sum of squared distances of labelled rows to their centres in float64, each addend rounded by `big`."""

    def own(self, halves: F32, y: F32, centres: F64, mean: F64, counts: F64, labels: I32) -> F32:
        """(B,) scores of halves (B, D) against their own centre without the row itself; 0 where there is no label.

        |h - c'|^2 - |h - m|^2 in float64, rounded once, with c' the mean of the other rows of the cluster.
        """

    def kept(self, scores: tuple[F32, F32], own: tuple[F32, F32], bias: F32, labels: I32, kept: I64) -> None:
        """kept (K, K) [a, b] += rows of cluster a both of whose halves score lower for their own centre than for b."""


def block_maths() -> BlockMaths:
    """The compiled kernels, or the plain twin where there is no library (or `ISTHMUS_KERNELS=plain`)."""
    found = library()
    return Plain() if found is None else Compiled(found)


class Plain:
    """The twin in numpy, for odd machines and for tests."""

    def assign(self, scores: F32, bias: F32, x: F32, valid: U8, labels: I32, sums: F64, counts: F64) -> int:
        nearest = (scores + bias[:, None]).argmin(axis=1).reshape(-1)
        now = np.where(valid != 0, nearest, -1).astype(np.int32)
        moved = np.flatnonzero(now != labels)
        if not len(moved):
            return 0
        centres = np.arange(len(bias))[:, None]
        signs = (now[moved] == centres).astype(np.float64) - (labels[moved] == centres)
        sums += signs @ x[moved].astype(np.float64)
        counts += signs.sum(axis=1)
        labels[:] = now
        return len(moved)

    def potential(self, scores: F32, bias: F32, norms: F32, closest: F32, big: float) -> F64:
        squares = np.maximum((norms + bias[:, None]) + scores, np.float32(0))
        lower = np.minimum(squares, closest).astype(np.float64)
        total: F64 = ((lower + big) - big).sum(axis=1)
        return total

    def closest(self, scores: F32, bias: float, norms: F32, closest: F32) -> None:
        squares = np.maximum((norms + np.float32(bias)) + scores, np.float32(0))
        np.minimum(squares, closest, out=closest)

    def inertia(self, x: F32, centres: F64, labels: I32, big: float) -> float:
        rows = np.flatnonzero(labels >= 0)
        own = centres[labels[rows]]
        total = np.zeros(len(rows))
        for j in range(x.shape[1]):  # column after column: the order of additions of the compiled loop
            total += (x[rows, j].astype(np.float64) - own[:, j]) ** 2
        return float(((total + big) - big).sum())

    def own(self, halves: F32, y: F32, centres: F64, mean: F64, counts: F64, labels: I32) -> F32:
        rows = np.flatnonzero(labels >= 0)
        n = counts[labels[rows]]
        share = np.where(n > 1, 1.0 / np.where(n > 1, n - 1.0, 1.0), 0.0)
        total = np.zeros(len(rows))
        for j in range(y.shape[1]):
            centre = centres[labels[rows], j]
            without = centre + (centre - y[rows, j].astype(np.float64)) * share
            total += (mean[j] - without) * ((2.0 * halves[rows, j].astype(np.float64) - mean[j]) - without)
        scores = np.zeros(len(labels), np.float32)
        scores[rows] = total
        return scores

    def kept(self, scores: tuple[F32, F32], own: tuple[F32, F32], bias: F32, labels: I32, kept: I64) -> None:
        rows = np.flatnonzero(labels >= 0)
        both = np.ones((len(rows), len(bias)), bool)
        for half, mine in zip(scores, own, strict=True):
            both &= mine[rows, None] < (half[:, rows] + bias[:, None]).T
        np.add.at(kept, labels[rows], both)


class Compiled:
    """The loops of kmeans.c."""

    def __init__(self, lib: ctypes.CDLL) -> None:
        at, n, real, single = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double, ctypes.c_float
        self._assign = _declare(lib, "assign", n, at, at, at, at, n, n, n, n, at, at, at)
        self._potential = _declare(lib, "potential", None, at, at, at, at, n, n, real, at)
        self._closest = _declare(lib, "closest", None, at, single, at, n, at)
        self._inertia = _declare(lib, "inertia", real, at, at, at, n, n, real)
        self._own = _declare(lib, "own", None, at, at, at, at, at, at, n, n, at)
        self._kept = _declare(lib, "kept", None, at, at, at, at, at, at, n, n, at)

    def assign(self, scores: F32, bias: F32, x: F32, valid: U8, labels: I32, sums: F64, counts: F64) -> int:
        args = (_at(scores), _at(bias), _at(x), _at(valid), *scores.shape, x.shape[1])
        return int(self._assign(*args, _at(labels), _at(sums), _at(counts)))

    def potential(self, scores: F32, bias: F32, norms: F32, closest: F32, big: float) -> F64:
        trials, rows = scores.shape
        out = np.empty(trials)
        self._potential(_at(scores), _at(bias), _at(norms), _at(closest), trials, rows, big, _at(out))
        return out

    def closest(self, scores: F32, bias: float, norms: F32, closest: F32) -> None:
        self._closest(_at(scores), bias, _at(norms), len(norms), _at(closest))

    def inertia(self, x: F32, centres: F64, labels: I32, big: float) -> float:
        rows, dim = x.shape
        return float(self._inertia(_at(x), _at(centres), _at(labels), rows, dim, big))

    def own(self, halves: F32, y: F32, centres: F64, mean: F64, counts: F64, labels: I32) -> F32:
        rows, dim = y.shape
        out = np.empty(rows, np.float32)
        args = (_at(halves), _at(y), _at(centres), _at(mean), _at(counts), _at(labels))
        self._own(*args, rows, dim, _at(out))
        return out

    def kept(self, scores: tuple[F32, F32], own: tuple[F32, F32], bias: F32, labels: I32, kept: I64) -> None:
        k, rows = scores[0].shape
        args = (_at(scores[0]), _at(scores[1]), _at(bias), _at(own[0]), _at(own[1]), _at(labels))
        self._kept(*args, k, rows, _at(kept))


def _declare(lib: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(lib, f"isthmus_kmeans_{name}")
    function.restype, function.argtypes = result, list(arguments)
    return function


def _at(array: npt.NDArray[Any]) -> int:
    """Address of a C-contiguous array's first element."""
    if not array.flags.c_contiguous:
        raise ValueError("a kernel was handed an array that is not C-contiguous")
    if array.flags.writeable and array.nbytes:
        return ctypes.addressof(ctypes.c_char.from_buffer(array.data))  # twice as fast as the next line
    return array.ctypes.data
