"""4-mer counting per core: our kernels against vambcore's, on the same sequences in memory.

    python benchmarks/bench_kernel.py

Counts are checked to be equal first: ours, folded on the strand, against vambcore's 256 folded the same way. Ours also
counts both halves of each read in the same pass; the last line parses FASTQ, checks qualities and projects as well.
"""

from __future__ import annotations

import sys

import numpy as np
import vambcore
from harness import in_turn, ratio, show, verdict

from isthmus.kernels.batch import FASTQ, Status
from isthmus.kernels.profiles import profiles
from isthmus.kernels.scan import Scanner, count_canonical

SEED, READS, LENGTH = 1, 4000, 8000


def main() -> int:
    rng = np.random.default_rng(SEED)
    reads = [bytes(np.frombuffer(b"ACGT", np.uint8)[rng.integers(0, 4, LENGTH)]) for _ in range(READS)]
    text = np.frombuffer(b"".join(b"@r%d\n%s\n+\n%s\n" % (i, r, b"5" * LENGTH) for i, r in enumerate(reads)), np.uint8)
    _check_equal(reads[0])
    gbp = READS * LENGTH / 1e9
    timings = in_turn(
        {
            "vambcore.kmercounts": lambda: _vambcore(reads),
            "isthmus counts (whole + halves)": lambda: [count_canonical(read) for read in reads],
            "isthmus scan FASTQ + QC + kernel:4": lambda: _scan(text),
        },
        runs=7,
    )
    show("4-mers of 8-kb reads in memory, one core", timings, gbp, "Gbp")
    met = verdict(
        "counts against vambcore", ratio(timings, "isthmus counts (whole + halves)", "vambcore.kmercounts"), 3
    )
    whole = ratio(timings, "isthmus scan FASTQ + QC + kernel:4", "vambcore.kmercounts")
    return 0 if verdict("parse + QC + profiles against vambcore's counts alone", whole, 1) and met else 1


def _vambcore(reads: list[bytes]) -> None:
    for read in reads:
        counts = np.zeros(256, np.uint32)
        vambcore.kmercounts(counts, read)


def _scan(text: np.ndarray) -> int:
    scanner, at, rows = Scanner(FASTQ, "kernel:4"), 0, 0
    while True:
        batch = scanner.scan(text, at, len(text), at_end=True)
        at, rows = batch.next, rows + len(batch.rows)
        if batch.status is Status.AT_END:
            return rows


def _check_equal(read: bytes) -> None:
    """Fold vambcore's 256 counts on the strand and compare them with ours."""
    counts = np.zeros(256, np.uint32)
    vambcore.kmercounts(counts, read)
    kmers = ["".join("ACGT"[(i >> s) & 3] for s in (6, 4, 2, 0)) for i in range(256)]
    folded: dict[str, int] = {}
    for kmer, count in zip(kmers, counts.tolist(), strict=True):
        canonical = min(kmer, kmer[::-1].translate(str.maketrans("ACGT", "TGCA")))
        folded[canonical] = folded.get(canonical, 0) + count
    ours = count_canonical(read)
    whole = dict(zip(profiles("kmer:4").kmers, ours[2].tolist(), strict=True))
    assert {k: v for k, v in whole.items() if v} == {k: v for k, v in folded.items() if v}, "counts differ"


if __name__ == "__main__":
    sys.exit(main())
