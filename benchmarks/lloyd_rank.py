"""One rank of bench_lloyd.py: Lloyd's iterations of the rank program on this rank's rows, timed inside the program.

python -m mpi4py benchmarks/lloyd_rank.py FOLDER K FEW MANY TOL

FOLDER holds x.npy (N, D) float32 and start.npy, whose first K rows are the first centres; rank 0 prints a line of JSON:
seconds of FEW and of MANY iterations (every rank waits for every other at both ends), iterations, inertia.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
from mpi4py import MPI

from isthmus.kernels.cluster import block_maths
from isthmus.simulate.programs.lloyd import Lloyd, Starts
from isthmus.simulate.programs.rows import Rows, aligned, gather_facts
from isthmus.simulate.programs.world import Ranks
from isthmus.simulate.request import BLOCK_ROWS, rank_borders


def main(folder: Path, k: int, few: int, many: int, tol: float) -> None:
    """Time both, each the better of two, after one run of FEW that is not counted."""
    world = Ranks(MPI.COMM_WORLD, add=MPI.SUM, most=MPI.MAX)
    rows = _own_rows(np.load(folder / "x.npy", mmap_mode="r"), world)
    start = np.load(folder / "start.npy")[None, :k].astype(np.float64)
    _timed(rows, world, start, few, tol)
    seconds: dict[int, list[float]] = {few: [], many: []}
    for iterations in (few, many, few, many):
        took, state = _timed(rows, world, start, iterations, tol)
        seconds[iterations].append(took)
    if world.rank == 0:
        found = {"iterations": int(state.iterations[0]), "inertia": float(state.inertia[0])}
        print(json.dumps({"few_s": min(seconds[few]), "many_s": min(seconds[many]), **found}))


def _own_rows(x: np.ndarray, world: Ranks) -> Rows:
    mine = rank_borders(len(x), world.size)[world.rank]
    padded = -(-mine.rows // BLOCK_ROWS) * BLOCK_ROWS
    coords, valid = aligned(padded, x.shape[1]), np.zeros(padded, np.uint8)
    coords[: mine.rows], valid[: mine.rows] = x[mine.first_row : mine.first_row + mine.rows], 1
    return gather_facts(coords, valid, first_row=mine.first_row, rows=mine.rows, world=world)


def _timed(rows: Rows, world: Ranks, start: np.ndarray, iterations: int, tol: float) -> tuple[float, Starts]:
    lloyd = Lloyd(rows, block_maths(), world, tol=tol, max_iterations=iterations)
    MPI.COMM_WORLD.Barrier()
    began = time.perf_counter()
    state = lloyd.run(Starts.at(start), lambda _: None)
    MPI.COMM_WORLD.Barrier()
    return time.perf_counter() - began, state


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]), float(sys.argv[5]))
