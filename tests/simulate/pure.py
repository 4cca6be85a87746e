"""The clustering maths in a world of one, without files and MPI."""

from __future__ import annotations

import numpy as np

from isthmus.kernels.cluster import BlockMaths, block_maths
from isthmus.simulate.programs.clusters import Clusters
from isthmus.simulate.programs.lloyd import Lloyd, Starts
from isthmus.simulate.programs.rows import Rows, aligned, gather_facts
from isthmus.simulate.programs.seeding import Seeding
from isthmus.simulate.programs.world import Alone
from isthmus.simulate.request import BLOCK_ROWS


def rows_of(x: np.ndarray, valid: np.ndarray | None = None) -> Rows:
    """Rows of a world of one, from coordinates (N, d)."""
    padded = -(-len(x) // BLOCK_ROWS) * BLOCK_ROWS
    coords = aligned(padded, x.shape[1])
    coords[: len(x)] = x
    mask = np.zeros(padded, np.uint8)
    mask[: len(x)] = 1 if valid is None else valid
    coords[mask == 0] = 0
    return gather_facts(coords, mask, first_row=0, rows=len(x), world=Alone())


def lloyd_from(
    rows: Rows, centres: np.ndarray, *, tol: float = 1e-4, max_iterations: int = 300, maths: BlockMaths | None = None
) -> tuple[Starts, np.ndarray, Clusters]:
    """Run Lloyd from first centres (S, K, d); the state, labels and clusters of the best start."""
    lloyd = Lloyd(rows, maths or block_maths(), Alone(), tol=tol, max_iterations=max_iterations)
    state = lloyd.run(Starts.at(centres), lambda _: None)
    labels, clusters = lloyd.clusters_of(state, state.best)
    return state, labels[: rows.rows], clusters


def seeds_of(rows: Rows, k: int, *, starts: int = 1, seed: int = 0) -> np.ndarray:
    """First centres (S, K, d) by k-means++."""
    seeding = Seeding(rows, block_maths(), Alone(), k=k, starts=starts, stream=(seed, 0))
    return seeding.run(None, lambda _: None)
