"""The ranks of a job as the maths sees them: four collectives, over MPI or alone."""

from __future__ import annotations

import time
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

SPIN_S = 100e-6
SLEEP_S = 20e-6


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

    Operations are handed in by the caller, who imports mpi4py, so that the maths can be tested without it. A rank that
    waits spins for a moment and then sleeps: where ranks share cores, with each other or with anybody else, MPI's own
    spinning takes the core from the rank that it waits for.
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
        _wait(self._comm.Iallgather(mine, everything))
        return everything

    def share(self, values: Array) -> Array:
        shared = np.ascontiguousarray(values)
        _wait(self._comm.Ibcast(shared, root=0))
        return shared

    def _reduced(self, values: Array, operation: Any) -> Array:
        mine = np.ascontiguousarray(values)
        result = np.empty_like(mine)
        _wait(self._comm.Iallreduce(mine, result, op=operation))
        return result


def _wait(request: Any) -> None:
    """Wait for a collective: spin for SPIN_S, then sleep between looks."""
    until = time.perf_counter() + SPIN_S
    while not request.Test():
        if time.perf_counter() > until:
            time.sleep(SLEEP_S)
