"""Both phases from Python: python examples/from_python.py READS... (FASTQ or FASTA; prints the clusters)."""

from __future__ import annotations

import sys
import tempfile

import numpy as np

from isthmus import api


def main(words: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = api.open(f"{folder}/lake")
        reads = api.embed(lake, words, into="gut.reads", with_="kernel:4", cleaning={"min_length": 1000})
        clusters = api.simulate(lake, "kmeans", reads, into="gut.clusters", ranks=2)

        profiles = lake.array(reads)  # (N, 103) float32, rows on demand
        labels = lake.table(clusters).column("cluster").to_numpy()
        print(f"{profiles.shape[0]:,} reads x {profiles.shape[1]} dimensions: {reads} -> {clusters}")
        for cluster in np.unique(labels):
            print(f"cluster {cluster}: {np.count_nonzero(labels == cluster):,} reads")


if __name__ == "__main__":
    main(sys.argv[1:])
