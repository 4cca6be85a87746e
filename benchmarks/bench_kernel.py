"""4-mer counting per core: our kernels against vambcore's, on the same sequences in memory.

    python benchmarks/bench_kernel.py

Counts are checked to be equal first: ours, folded on the strand, against vambcore's 256 folded the same way. The last
candidate does far more in its pass: it parses FASTQ, checks qualities, counts both halves, and projects three times.
"""

from __future__ import annotations

import sys

import numpy as np
import vambcore
from harness import in_turn, ratio, show, verdict

from isthmus.kernels.batch import FASTQ, Status
from isthmus.kernels.profiles import profiles
from isthmus.kernels.scan import Scanner, count_canonical

SEED, BASES = 1, 64_000_000
THEIRS, OURS, ALL = "vambcore.kmercounts", "isthmus counts", "isthmus FASTQ + QC + 3 x kernel:4"


def main() -> int:
    met = [_compare(length) for length in (1_000, 8_000, 100_000)]
    return 0 if all(met) else 1


def _compare(length: int) -> bool:
    rng = np.random.default_rng(SEED)
    n = BASES // length
    bases = np.frombuffer(b"ACGT", np.uint8)[rng.integers(0, 4, n * length)]
    ends = np.arange(n + 1, dtype=np.int64) * length
    reads = [bases[lo : lo + length].tobytes() for lo in ends[:-1]]
    text = np.frombuffer(b"".join(b"@r%d\n%s\n+\n%s\n" % (i, r, b"5" * length) for i, r in enumerate(reads)), np.uint8)
    _check_equal(reads[:20], bases, ends)
    timings = in_turn(
        {THEIRS: lambda: _vambcore(reads), OURS: lambda: count_canonical(bases, ends), ALL: lambda: _scan(text)}, runs=7
    )
    show(f"4-mers of {length:,}-bp reads in memory, one core", timings, BASES / 1e9, "Gbp")
    verdict("all of phase 1 against counts alone", ratio(timings, ALL, THEIRS), 1)
    return verdict(f"counts against vambcore, {length:,} bp", ratio(timings, OURS, THEIRS), 3)


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


def _check_equal(reads: list[bytes], bases: np.ndarray, ends: np.ndarray) -> None:
    """Fold vambcore's 256 counts on the strand and compare them with ours."""
    ours = count_canonical(bases, ends[: len(reads) + 1])
    kmers = ["".join("ACGT"[(i >> s) & 3] for s in (6, 4, 2, 0)) for i in range(256)]
    column = {kmer: i for i, kmer in enumerate(profiles("kmer:4").kmers)}
    for read, row in zip(reads, ours, strict=True):
        counts, folded = np.zeros(256, np.uint32), np.zeros_like(row)
        vambcore.kmercounts(counts, read)
        for kmer, count in zip(kmers, counts, strict=True):
            folded[column[min(kmer, kmer[::-1].translate(str.maketrans("ACGT", "TGCA")))]] += count
        assert np.array_equal(row, folded), "counts differ"


if __name__ == "__main__":
    sys.exit(main())
