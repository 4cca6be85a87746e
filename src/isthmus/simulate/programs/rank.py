"""Being a rank: its log, its error record, its world, and what it tells the driver while it works."""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from mpi4py import MPI

from isthmus.core.clock import now_utc
from isthmus.core.errors import InvalidInput
from isthmus.core.files import write_json
from isthmus.core.version import VERSION
from isthmus.kernels import native
from isthmus.simulate.programs.checkpoint import Checkpoint
from isthmus.simulate.programs.world import Ranks, World
from isthmus.simulate.request import Request, read_request

PROGRESS_FILE = "progress.json"
_TELL_EVERY_S = 0.5


class Program(Protocol):
    """What `main` runs on every rank."""

    def run(self) -> None:
        """Do the work; rank 0 writes result.json last."""


class Maker(Protocol):
    """Makes the program for this rank."""

    def __call__(self, request: Request, folder: Path, world: World) -> Program: ...


def main(make: Maker, folder: Path) -> None:
    """Run a program on this rank: own log, own error record; an exception ends the whole job (python -m mpi4py)."""
    comm = MPI.COMM_WORLD
    _redirect(folder / f"rank-{comm.Get_rank():04d}.log")
    try:
        request = read_request(folder)
        if comm.Get_size() != request.ranks:
            raise InvalidInput(
                f"{request.ranks} ranks were asked for and the launcher started a world of {comm.Get_size()}; "
                "use the mpiexec that belongs to the MPI of mpi4py"
            )
        make(request, folder, Ranks(comm, add=MPI.SUM, most=MPI.MAX)).run()
    except BaseException as error:
        _record(error, folder, comm.Get_rank())
        raise


class Told:
    """Progress of the job for the driver: progress.json, replaced by rank 0 at most twice a second."""

    def __init__(self, folder: Path, world: World) -> None:
        self._path = folder / PROGRESS_FILE if world.rank == 0 else None
        self._last = 0.0

    def update(self, stage: str, done: float, total: float | None, unit: str) -> None:
        """`done` of `total` `unit`s of `stage`; total is None where it is not known."""
        now = time.monotonic()
        if self._path is None or now - self._last < _TELL_EVERY_S:
            return
        self._last = now
        write_json(self._path, {"stage": stage, "done": done, "total": total, "unit": unit}, durable=False)


def open_checkpoint(request: Request, world: World) -> Checkpoint:
    """The checkpoint that the request names; state of other code or libraries does not count."""
    found = versions()
    key = "/".join([request.program, request.plan, found["isthmus"], found["numpy"], found["kernels"]])
    return Checkpoint(Path(request.checkpoint) if request.checkpoint else None, key, request.checkpoint_s, world)


def versions() -> dict[str, str]:
    """What the result was computed with."""
    return {
        "isthmus": VERSION,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "mpi": MPI.Get_library_version().splitlines()[0].split("\0")[0].replace("\t", " ").strip(),
        "kernels": native.describe(),
    }


def _redirect(log: Path) -> None:
    """Send what this rank prints, also from C, to its log."""
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def _record(error: BaseException, folder: Path, rank: int) -> None:
    """Write error-rank-NNNN.json: the exit code of an MPI job never names the cause."""
    record: dict[str, Any] = {
        "rank": rank,
        "host": platform.node(),
        "when": now_utc(),
        "type": type(error).__name__,
        "message": str(error),
        "traceback": traceback.format_exc(),
    }
    write_json(folder / f"error-rank-{rank:04d}.json", record, durable=False)
