"""Phase 1 on a large FASTQ of long reads: kernel alone, page cache, fsynced, told apart; one worker and two.

    python benchmarks/bench_prepare.py [--gb 2] [--runs 5]

Page cache: the lake lies on a memory file system, where fsync costs nothing. Fsynced: the lake lies on this disk. `cat`
reads the same file in the same run, for scale. Every run makes a new lake and ends with the commit: hash, cleaning,
profiles of whole and halves, checksums, table.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from harness import in_turn, ratio, show, verdict
from longreads import write_long_reads

from isthmus.backbone.lake import Lake
from isthmus.core.progress import Silent
from isthmus.core.ref import Name
from isthmus.kernels.batch import FASTQ, Cut, Status
from isthmus.kernels.scan import Scanner
from isthmus.prepare import embedding, sources
from isthmus.prepare.cleaning import Cleaning

CLEANING = Cleaning(min_length=1000, min_mean_quality=7, max_n_share=0.1)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gb", type=float, default=2.0)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-prepare-") as folder:
        return _bench(Path(folder), args.gb, args.runs)


def _bench(folder: Path, gb: float, runs: int) -> int:
    reads = folder / "reads.fastq"
    size = write_long_reads(reads, int(gb * 1e9))
    memory = Path("/dev/shm")  # noqa: S108
    text = np.fromfile(reads, np.uint8, 256 << 20)
    timings = in_turn(
        {
            "cat file > /dev/null": lambda: subprocess.run(["cat", str(reads)], stdout=subprocess.DEVNULL, check=True),
            "page cache, 1 worker": lambda: _embed(reads, memory, 1),
            "page cache, 2 workers": lambda: _embed(reads, memory, 2),
            "fsynced, 2 workers": lambda: _embed(reads, folder, 2),
        },
        runs=runs,
    )
    show(f"FASTQ -> cleaned kernel:4 shards, {size / 1e9:.2f} GB of long reads", timings, size / 1e9, "GB")
    alone = in_turn({"kernel alone, 1 core, in memory": lambda: _kernel(text)}, runs=runs)
    show("the kernel alone: parse + QC + profiles", alone, len(text) / 1e9, "GB")
    rate = size / 1e9 / timings["page cache, 2 workers"].median_s
    verdict("two workers against one", ratio(timings, "page cache, 2 workers", "page cache, 1 worker"), 1.8)
    fsynced = size / 1e9 / timings["fsynced, 2 workers"].median_s
    verdict("fsynced, 2 workers", fsynced, 0.4, unit=" GB/s")
    return 0 if verdict("page cache, 2 workers", rate, 0.4, unit=" GB/s") else 1


def _embed(reads: Path, where: Path, workers: int) -> None:
    root = Path(tempfile.mkdtemp(prefix="bench-lake-", dir=where))
    try:
        lake = Lake.open(root / "lake")
        files = sources.find_sources([str(reads)], spool=root / "spool", cache=root / "cache")
        plan = embedding.make_plan(files, into=Name("bench", "reads"), cleaning=CLEANING)
        embedding.embed(plan, lake, workers=workers, mem_bytes=4 << 30, progress=Silent())
    finally:
        shutil.rmtree(root)


def _kernel(text: np.ndarray) -> None:
    scanner, at = Scanner(FASTQ, "kernel:4", cut=Cut(1000, 7.0, 0.1)), 0
    while True:
        batch = scanner.scan(text, at, len(text), at_end=False)
        at = batch.next
        if batch.status is not Status.ROWS_FULL:
            return


if __name__ == "__main__":
    sys.exit(main())
