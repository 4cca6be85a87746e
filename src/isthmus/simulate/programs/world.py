"""The ranks of a job as the maths sees them: four collectives, over MPI or alone."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class World(Protocol):
    """All ranks call the same collective with arrays of the same shape and dtype; all get the same answer."""

    rank: int
    size: int

    def total(self, values: Array) -> Array:
        """Element-wise sum over ranks. Exact, and so the same on any number of ranks, where the addends allow it."""

    def largest(self, values: Array) -> Array:
        """Element-wise maximum over ranks."""

    def gather(self, values: Array) -> Array:
        """(size, ...) the arrays of all ranks in order of rank, on every rank."""

    def share(self, values: Array) -> Array:
        """Rank 0's array, on every rank."""


class Alone:
    """A world of one."""

    rank = 0
    size = 1

    def total(self, values: Array) -> Array:
        return values

    def largest(self, values: Array) -> Array:
        return values

    def gather(self, values: Array) -> Array:
        return values[None]

    def share(self, values: Array) -> Array:
        return values


class Ranks:
    """The world of an MPI communicator (mpi4py's `MPI.Comm`), by its buffer methods: nothing is pickled.

    Operations are handed in by the caller, who imports mpi4py, so that the maths can be tested without it.
    """

    def __init__(self, comm: Any, *, add: Any, most: Any) -> None:
        self._comm, self._add, self._most = comm, add, most
        self.rank, self.size = int(comm.Get_rank()), int(comm.Get_size())

    def total(self, values: Array) -> Array:
        return self._reduced(values, self._add)

    def largest(self, values: Array) -> Array:
        return self._reduced(values, self._most)

    def gather(self, values: Array) -> Array:
        mine = np.ascontiguousarray(values)
        everything = np.empty((self.size, *mine.shape), mine.dtype)
        self._comm.Allgather(mine, everything)
        return everything

    def share(self, values: Array) -> Array:
        shared = np.ascontiguousarray(values)
        self._comm.Bcast(shared, root=0)
        return shared

    def _reduced(self, values: Array, operation: Any) -> Array:
        mine = np.ascontiguousarray(values)
        result = np.empty_like(mine)
        self._comm.Allreduce(mine, result, op=operation)
        return result
