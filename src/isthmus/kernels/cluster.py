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
    """What k-means needs to know of one block of B rows; both implementations return the same bits.

    `scores` are always (K, B) float32 products -2 x.c, `bias` (K,) float32, so that scores + bias orders the centres
    by distance. Every array is C-contiguous, B a multiple of 8. A row that is not `valid` has label -1.
    """

    def assign(self, scores: F32, bias: F32, x: F32, valid: U8, labels: I32, sums: F64, counts: F64) -> int:
        """Label each row with its nearest centre, ties to the lowest; returns how many labels changed.

        x (B, D) float32; labels (B,) holds the old labels (-1: none) and receives the new; sums (K, D) and counts (K,)
        float64 are brought up to date by the rows that changed.
        """

    def potential(self, scores: F32, bias: F32, norms: F32, closest: F32, big: float) -> F64:
        """(K,) sums over rows of min(closest, squared distance), each addend rounded by adding and taking `big`."""

    def closest(self, scores: F32, bias: float, norms: F32, closest: F32) -> None:
        """closest (B,) = min(closest, squared distance to the one centre of `scores` (B,)), in place."""

    def inertia(self, x: F32, centres: F64, labels: I32, big: float) -> float:
        """Sum of squared distances of labelled rows to their centres in float64, each addend rounded by `big`."""

    def kept(self, first: F32, second: F32, bias: F32, labels: I32, kept: I64) -> None:
        """kept (K, K) [a, b] += rows of cluster a whose halves both score lower for a than for b."""


def block_maths() -> BlockMaths:
    """The compiled kernels, or the plain twin where there is no library (or `ISTHMUS_KERNELS=plain`)."""
    found = library()
    return Plain() if found is None else Compiled(found)


class Plain:
    """The twin in numpy, for odd machines and for tests."""

    def assign(self, scores: F32, bias: F32, x: F32, valid: U8, labels: I32, sums: F64, counts: F64) -> int:
        now = np.where(valid != 0, (scores + bias[:, None]).argmin(axis=0), -1).astype(np.int32)
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

    def kept(self, first: F32, second: F32, bias: F32, labels: I32, kept: I64) -> None:
        rows = np.flatnonzero(labels >= 0)
        own = labels[rows]
        both = np.ones((len(rows), len(bias)), bool)
        for half in (first, second):
            scores = (half[:, rows] + bias[:, None]).T
            both &= scores[np.arange(len(rows)), own][:, None] < scores
        np.add.at(kept, own, both)


class Compiled:
    """The loops of kmeans.c."""

    def __init__(self, lib: ctypes.CDLL) -> None:
        at, n, real, single = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double, ctypes.c_float
        self._assign = _declare(lib, "assign", n, at, at, at, at, n, n, n, at, at, at, at)
        self._potential = _declare(lib, "potential", None, at, at, at, at, n, n, real, at)
        self._closest = _declare(lib, "closest", None, at, single, at, n, at)
        self._inertia = _declare(lib, "inertia", real, at, at, at, n, n, real)
        self._kept = _declare(lib, "kept", None, at, at, at, at, n, n, at)

    def assign(self, scores: F32, bias: F32, x: F32, valid: U8, labels: I32, sums: F64, counts: F64) -> int:
        k, rows = scores.shape
        args = (_at(scores), _at(bias), _at(x), _at(valid), k, rows, x.shape[1])
        return int(self._assign(*args, _at(labels), None, _at(sums), _at(counts)))

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

    def kept(self, first: F32, second: F32, bias: F32, labels: I32, kept: I64) -> None:
        k, rows = first.shape
        self._kept(_at(first), _at(second), _at(bias), _at(labels), k, rows, _at(kept))


def _declare(lib: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(lib, f"isthmus_kmeans_{name}")
    function.restype, function.argtypes = result, list(arguments)
    return function


def _at(array: npt.NDArray[Any]) -> int:
    """Address of a C-contiguous array's first element."""
    if not array.flags.c_contiguous:
        raise ValueError("a kernel was handed an array that is not C-contiguous")
    return array.ctypes.data
