"""Memory of a phase-1 worker above its import baseline, for inputs of 0.2, 1 and 4 GB: it does not grow.

python benchmarks/bench_memory.py [--gb 0.2 1 4]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import machine
from longreads import write_long_reads

BLOCK_MIB = 8
MEASURE = """
import json, multiprocessing, resource, sys, threading, time
import psutil
from pathlib import Path
from isthmus.backbone.lake import Lake
from isthmus.core.progress import Silent
from isthmus.core.ref import Name
from isthmus.prepare import embedding, sources

peaks = {}
def watch():
    while True:
        for child in psutil.Process().children(recursive=True):
            try:
                info = child.memory_full_info()
                first, peak = peaks.get(child.pid, (None, 0))
                peaks[child.pid] = (first, max(peak, info.uss))
            except psutil.Error:
                pass
        time.sleep(0.01)

if __name__ == "__main__":
    threading.Thread(target=watch, daemon=True).start()
    reads, root = sys.argv[1:]
    lake = Lake.open(Path(root))
    files = sources.find_sources([reads], spool=Path(root + "-s"), cache=Path(root + "-c"))
    plan = embedding.make_plan(files, into=Name("bench", "reads"))
    embedding.embed(plan, lake, workers=2, mem_bytes=4 << 30, progress=Silent())
    driver = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"workers": max((p for _, p in peaks.values()), default=0), "driver": driver}))
"""
BASELINE = """
import psutil, isthmus.prepare.worker
from isthmus.kernels.native import library
library()
print(psutil.Process().memory_full_info().uss)
"""


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gb", type=float, nargs="+", default=[0.2, 1.0, 4.0])
    args = parser.parse_args()
    base = int(subprocess.run([sys.executable, "-c", BASELINE], capture_output=True, check=True).stdout)
    print(f"worker's import baseline: {base / 2**20:.0f} MiB (unique set size)  [{machine()}]")
    above = [_peak(gb, base) for gb in args.gb]
    grows = (max(above) - above[0]) / 2**20
    met = grows < BLOCK_MIB
    print(
        f"{'met   ' if met else 'MISSED'} growth from {args.gb[0]:g} GB on: {grows:.0f} MiB (target: under one block)"
    )
    return 0 if met else 1


def _peak(gb: float, base: int) -> int:
    with tempfile.TemporaryDirectory(prefix="bench-memory-") as folder:
        reads, script = Path(folder) / "reads.fastq", Path(folder) / "measure.py"
        write_long_reads(reads, int(gb * 1e9))
        script.write_text(MEASURE)
        done = subprocess.run(
            [sys.executable, str(script), str(reads), f"{folder}/lake"], capture_output=True, check=True
        )
        peak = json.loads(done.stdout)
    above = peak["workers"] - base
    driver = peak["driver"] / 2**20
    print(f"{gb:5.1f} GB: worker peak {above / 2**20:6.0f} MiB above baseline; driver {driver:6.0f} MiB in all")
    return int(above)


if __name__ == "__main__":
    sys.exit(main())
