"""Reads that fit no cluster: rare organisms beside a common one, and what one genome alone loses; through the product.

python benchmarks/strangers.py            # real genomes: ISTHMUS_DATA, else ../shared/data; about 40 s on 2 cores
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from harness import machine

from isthmus import api
from isthmus.testing.genomes import Genome
from isthmus.testing.reads import Sampling, read_genomes, simulate_reads

DATA = Path(os.environ.get("ISTHMUS_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")) / "genomes"
SEEDS = (1, 2, 3, 4, 5)


def main() -> int:
    if not DATA.is_dir():
        print(f"no genomes at {DATA}; set ISTHMUS_DATA")
        return 0
    skip = ("phage", "draft", "Caulobacter_crescentus_NA1000")
    genomes = read_genomes([path for path in sorted(DATA.glob("*.fna.gz")) if not path.name.startswith(skip)])
    alone = [float((_clusters([one], [500], 1)[0] < 0).mean()) for one in genomes]
    print(f"[{machine()}]")
    most = f"median {np.median(alone):.1%}, most {max(alone):.1%}"
    print(f"one genome alone, 500 reads, {len(genomes)} genomes: unassigned {most}")
    named = [next(one for one in genomes if word in one.name) for word in ("Escherichia", "Mycoplasma", "Caulobacter")]
    found, lost = 0, 0
    for seed in SEEDS:
        cluster, label = _clusters(named, [1000, 12, 12], seed)
        main_cluster = np.bincount(cluster[cluster >= 0]).argmax()
        outside, rare = cluster != main_cluster, label != named[0].name
        found, lost = found + int((outside & rare).sum()), lost + int((outside & ~rare).sum())
    rare_reads = 24 * len(SEEDS)
    print(f"2 x 12 rare reads among 1,000 of Escherichia, {len(SEEDS)} seeds: {found} of {rare_reads} set apart,")
    print(f"and {lost} of the {1000 * len(SEEDS):,} of Escherichia with them")
    return 0 if found >= 0.8 * rare_reads and max(alone) <= 0.02 else 1


def _clusters(genomes: list[Genome], counts: list[int], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cluster and true label of each read."""
    with tempfile.TemporaryDirectory() as folder:
        reads = list(simulate_reads(genomes, counts, Sampling(), seed=seed))
        path = Path(folder) / "reads.fastq"
        path.write_bytes(b"".join(read.fastq for read in reads))
        lake = api.open(f"{folder}/lake")
        ref = api.simulate(lake, "kmeans", api.embed(lake, [path]), into="default.clusters")
        return lake.table(ref).column("cluster").to_numpy(), np.array([read.label for read in reads])


if __name__ == "__main__":
    sys.exit(main())
