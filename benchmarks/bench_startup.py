"""How soon a command answers: --help, the first shard of a small FASTQ, both phases on 5,000 reads, modules loaded.

    python benchmarks/bench_startup.py [--runs 5] [--reads 5000]

Warm: the first round is not counted. Every run of `embed` makes a new lake on this disk, every run of `simulate` reads
the newest of them. The first shard is when its `.npy` is seen in the lake, from the start of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from harness import Timing, in_turn, machine, verdict

HELP_S, FIRST_SHARD_S = 0.3, 3.0
LOOK_EVERY_S = 0.004
LENGTH, KINDS, SEED = 1000, 4, 5
HEAVY = ("numpy", "pyarrow", "deltalake", "xxhash", "isal", "mpi4py", "jinja2", "multiprocessing", "asyncio", "email")
START_UPS = {
    "python": "pass",
    "import isthmus": "import isthmus",
    "isthmus --help": """
import contextlib, io
from isthmus.cli.main import main
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
    main(["--help"])
""",
    "rank program kmeans": "import isthmus.simulate.programs.kmeans",
}
LISTED = "\nimport json, sys; print(json.dumps([name for name in sys.modules]))"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--reads", type=int, default=5000)
    args = parser.parse_args()
    print(machine())
    _modules()
    with tempfile.TemporaryDirectory(prefix="bench-startup-") as folder:
        return _bench(Path(folder), args.reads, args.runs)


def _bench(folder: Path, reads: int, runs: int) -> int:
    fastq = folder / "reads.fastq"
    size = _write_reads(fastq, reads)
    first_shards: list[float] = []
    lakes: list[Path] = []

    def embed() -> None:
        lakes.append(folder / f"lake-{len(lakes)}")
        first_shards.append(_embed(fastq, lakes[-1]))

    timings = in_turn(
        {
            "python -c pass": lambda: _run([sys.executable, "-c", "pass"]),
            "isthmus --help": lambda: _run([_isthmus(), "--help"]),
            f"isthmus embed, {size / 1e6:.0f} MB of FASTQ": embed,
            f"isthmus simulate kmeans, {reads:,} rows, 1 rank": lambda: _simulate(lakes[-1], "one", 1),
            f"isthmus simulate kmeans, {reads:,} rows, 2 ranks": lambda: _simulate(lakes[-1], "two", 2),
        },
        runs=runs,
    )
    shards = tuple(first_shards[-runs:])
    timings[f"first shard of {size / 1e6:.0f} MB of FASTQ"] = Timing(shards, shards)
    for name, timing in timings.items():
        print(f"{name:48}{timing.median_s:8.3f} s ({min(timing.wall_s):.3f} to {max(timing.wall_s):.3f})")
    helped = _under("isthmus --help", timings["isthmus --help"].median_s, HELP_S)
    shard = _under("first shard", statistics.median(shards), FIRST_SHARD_S)
    return 0 if helped and shard else 1


def _under(what: str, seconds: float, most: float) -> bool:
    """A target that is an upper bound, as the factor that is left to it."""
    return verdict(f"{what}: {seconds:.3f} s of {most:g} s allowed, room left", most / seconds, 1.0)


def _write_reads(path: Path, reads: int) -> int:
    """Reads of LENGTH bases from KINDS compositions that k-means can tell apart."""
    rng = np.random.default_rng(SEED)
    letters, quality = np.frombuffer(b"ACGT", np.uint8), b"5" * LENGTH
    shares = rng.dirichlet(np.full(4, 20.0), KINDS)
    with path.open("wb") as handle:
        for i in range(reads):
            bases = letters[rng.choice(4, LENGTH, p=shares[i % KINDS])].tobytes()
            handle.write(b"@read%d ch=7 runid=0123456789abcdef\n%s\n+\n%s\n" % (i, bases, quality))
    return path.stat().st_size


def _embed(fastq: Path, lake: Path) -> float:
    """Run `isthmus embed` and return the seconds to the first shard."""
    began = time.perf_counter()
    argv = [_isthmus(), "embed", str(fastq), "--lake", str(lake), "-q"]
    seen = 0.0
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
        while running.poll() is None:
            if not seen and _has_shard(lake):
                seen = time.perf_counter() - began
            time.sleep(LOOK_EVERY_S)
        error = running.stderr.read().decode() if running.stderr else ""
    assert running.returncode == 0, error
    assert _has_shard(lake), f"no shard under {lake}"
    return seen or time.perf_counter() - began


def _has_shard(lake: Path) -> bool:
    """Whether any `.npy` lies in the lake's products; what is still being written has another name."""
    for here, folders, files in os.walk(lake):
        if Path(here) == lake:
            folders[:] = [one for one in folders if not one.startswith("_")]
        if any(name.endswith(".npy") and not name.startswith(".") for name in files):
            return True
    return False


def _simulate(lake: Path, into: str, ranks: int) -> None:
    options = ["--lake", str(lake), "--into", f"bench.{into}", "--ranks", str(ranks), "--set", f"k={KINDS}", "-q"]
    _run([_isthmus(), "simulate", "kmeans", *options])


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 0, done.stderr.decode()


def _isthmus() -> str:
    return str(Path(sys.executable).with_name("isthmus"))


def _modules() -> None:
    """Print how many modules each start-up loads beyond Python's own, and which of the heavy ones."""
    loaded = {}
    for name, code in START_UPS.items():
        done = subprocess.run([sys.executable, "-c", code + LISTED], capture_output=True, check=True)
        loaded[name] = set(json.loads(done.stdout))
    for name, found in loaded.items():
        heavy = [one for one in HEAVY if one in found]
        print(f"{name:24}{len(found):5} modules, {len(found - loaded['python']):4} more than Python; {heavy or 'none'}")


if __name__ == "__main__":
    sys.exit(main())
