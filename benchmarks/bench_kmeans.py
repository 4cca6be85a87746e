"""k-means in a rank: one iteration against scikit-learn's Lloyd, and reading rows against a plain memory map.

Run: OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/bench_kmeans.py [--rows 300000]. One thread each: a rank
has one. An iteration is the difference of two runs of 2 and 22 iterations from the same start, divided by 20.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from harness import in_turn, machine, show
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from isthmus.kernels.cluster import block_maths
from isthmus.simulate.programs.lloyd import Lloyd, Starts
from isthmus.simulate.programs.rows import RawRows, Rows, aligned, gather_facts
from isthmus.simulate.programs.world import Alone
from isthmus.simulate.request import BLOCK_ROWS

FEW, MANY = 2, 22


def rows_of(x: np.ndarray) -> Rows:
    """The rows as a rank of a world of one holds them."""
    padded = -(-len(x) // BLOCK_ROWS) * BLOCK_ROWS
    coords, valid = aligned(padded, x.shape[1]), np.zeros(padded, np.uint8)
    coords[: len(x)], valid[: len(x)] = x, 1
    return gather_facts(coords, valid, first_row=0, rows=len(x), world=Alone())


def bench_iteration(n: int, dim: int, k: int, seed: int) -> None:
    """Print milliseconds of one iteration, ours and scikit-learn's, and how the inertias compare."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, dim)).astype(np.float32)
    start = x[rng.choice(n, k, replace=False)]
    rows = rows_of(x)

    def ours(iterations: int) -> Starts:
        lloyd = Lloyd(rows, block_maths(), Alone(), tol=0.0, max_iterations=iterations)
        return lloyd.run(Starts.at(start[None].astype(float)), lambda _: None)

    def theirs(iterations: int) -> KMeans:
        return KMeans(k, init=start, n_init=1, max_iter=iterations, tol=0.0, copy_x=False).fit(x)

    timed = in_turn(
        {
            "ours few": lambda: ours(FEW),
            "theirs few": lambda: theirs(FEW),
            "ours many": lambda: ours(MANY),
            "theirs many": lambda: theirs(MANY),
        }
    )
    one = {
        who: (timed[f"{who} many"].median_cpu_s - timed[f"{who} few"].median_cpu_s) / (MANY - FEW)
        for who in ("ours", "theirs")
    }
    fitted = theirs(FEW)
    exact = sum(
        float(((x[lo : lo + 4096] - fitted.cluster_centers_[fitted.labels_[lo : lo + 4096]].astype(float)) ** 2).sum())
        for lo in range(0, n, 4096)
    )
    off = abs(float(ours(FEW).inertia[0]) / exact - 1)
    print(
        f"N={n:,} d={dim} K={k}: {one['ours'] * 1e3:.1f} ms, scikit-learn {one['theirs'] * 1e3:.1f} ms of CPU an "
        f"iteration: {one['theirs'] / one['ours']:.2f}x; inertia after {FEW} differs by {off:.1e}"
    )


def bench_reading(n: int, dim: int) -> None:
    """Every byte of (n, dim) float32 touched: by a rank's blocks, and by a plain memory map."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npy"
        np.save(path, np.random.default_rng(1).random((n, dim), np.float32))
        mapped = np.load(path, mmap_mode="r")
        raw = RawRows(lambda lo, hi: mapped[lo:hi], 0, n, dim)

        def plain() -> None:
            for lo in range(0, n, BLOCK_ROWS):
                mapped[lo : lo + BLOCK_ROWS].view(np.uint32).max()

        def blocks() -> None:
            for _, block in raw.blocks():
                block.view(np.uint32).max()

        timings = in_turn({"plain memory map": plain, "a rank's blocks": blocks})
        show(f"Reading ({n:,} x {dim}) float32 from page cache", timings, n * dim * 4 / 1e9, "GB")


def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=300_000)
    n = parser.parse_args().rows
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        sys.exit("set OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1: a rank has one thread, and so must its peer")
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(machine())
    for dim, k in ((103, 12), (103, 64), (20, 12), (20, 64)):
        bench_iteration(n, dim, k, seed=1)
    bench_reading(n, 103)


if __name__ == "__main__":
    main()
