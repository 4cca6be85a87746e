"""A mock community with its truth: python -m isthmus.testing.community --out FOLDER [--reads N] [--seed 1]."""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from isthmus.testing.genomes import Genome, Recipe, invent_genomes
from isthmus.testing.reads import Read, Sampling, lognormal_abundance, simulate_reads

_LEVEL = 1  # of gzip: the demo should not wait for a better one
_MOST_READS_SHARE = 0.35  # no genome takes more, or there is little to cluster


@dataclass(frozen=True)
class Community:
    """What is simulated.

    Args: reads: over all genomes; sigma: spread (log) of abundance; files: FASTQ files that the reads are dealt into;
          plain: no gzip.
    """

    reads: int = 4_000
    genomes: int = 12
    seed: int = 1
    sigma: float = 0.8
    files: int = 1
    plain: bool = False
    sampling: Sampling = field(default_factory=lambda: Sampling(short=0.03, poor=0.03))
    recipe: Recipe = field(default_factory=Recipe)


@dataclass(frozen=True)
class Written:
    """The files, and the sums over them."""

    fastq: tuple[Path, ...]
    truth: Path
    genomes: Path
    reads: int
    bases: int


def write_community(folder: Path, community: Community) -> Written:
    """Simulate `community` into `folder`: reads*.fastq[.gz], truth.tsv (id, label) and genomes.tsv.

    The same bytes for the same `community`. Files that are there are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    genomes = invent_genomes(community.genomes, seed=community.seed, recipe=community.recipe)
    counts = read_counts(community)
    reads = simulate_reads(genomes, counts, community.sampling, seed=community.seed)
    names = _fastq_names(community)
    fastq = tuple(folder / name for name in names)
    bases = _write_reads(reads, fastq, folder / "truth.tsv", genomes, plain=community.plain)
    _write_genomes(folder / "genomes.tsv", genomes, counts, bases)
    return Written(fastq, folder / "truth.tsv", folder / "genomes.tsv", sum(counts), sum(bases.values()))


def read_counts(community: Community) -> list[int]:
    """Reads of each genome: lognormal, capped; every genome has some and the sum is exact."""
    rng = np.random.default_rng([community.seed, community.genomes, 7])
    shares = lognormal_abundance(community.genomes, community.sigma, rng)
    shares = np.minimum(shares, _MOST_READS_SHARE)
    counts = np.maximum(np.floor(shares / shares.sum() * community.reads).astype(int), 1)
    counts[counts.argmax()] += community.reads - int(counts.sum())
    return [int(count) for count in counts]


def _fastq_names(community: Community) -> list[str]:
    ending = ".fastq" if community.plain else ".fastq.gz"
    if community.files == 1:
        return [f"reads{ending}"]
    return [f"reads-{number + 1:03d}{ending}" for number in range(community.files)]


def _write_reads(
    reads: Iterable[Read], fastq: Sequence[Path], truth: Path, genomes: Sequence[Genome], *, plain: bool
) -> dict[str, int]:
    """Deal reads into the files, write their truth; returns bases by genome."""
    bases = {genome.name: 0 for genome in genomes}
    with ExitStack() as stack:
        outs = [_open(path, stack, plain=plain) for path in fastq]
        table = stack.enter_context(truth.open("w", encoding="ascii", newline="\n"))
        table.write("id\tlabel\n")
        for number, read in enumerate(reads):
            outs[number % len(outs)].write(read.fastq)
            table.write(f"{read.id}\t{read.label}\n")
            bases[read.label] += len(read.sequence)
    return bases


def _open(path: Path, stack: ExitStack, *, plain: bool) -> BinaryIO | gzip.GzipFile:
    raw: BinaryIO = stack.enter_context(path.open("wb"))
    if plain:
        return raw
    # no name and no time in the header: the same reads are the same bytes
    return stack.enter_context(gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0))


def _write_genomes(path: Path, genomes: Sequence[Genome], counts: Sequence[int], bases: dict[str, int]) -> None:
    lines = ["label\tlength\tgc\treads\tbases\trelative_of"]
    for genome, reads in zip(genomes, counts, strict=True):
        facts = (genome.name, len(genome.codes), f"{genome.gc:.4f}", reads, bases[genome.name], genome.relative_of)
        lines.append("\t".join(map(str, facts)))
    path.write_text("\n".join(lines) + "\n", encoding="ascii")


def main(words: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m isthmus.testing.community", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the files go")
    parser.add_argument("--reads", type=int, default=Community.reads, help="reads in all (default %(default)s)")
    parser.add_argument("--genomes", type=int, default=Community.genomes, help="genomes (default %(default)s)")
    parser.add_argument("--seed", type=int, default=Community.seed, help="same seed, same bytes (default %(default)s)")
    parser.add_argument("--files", type=int, default=1, help="deal the reads into so many files (default 1)")
    parser.add_argument("--plain", action="store_true", help="FASTQ without gzip")
    asked = parser.parse_args(words)
    if asked.genomes < 3 or asked.files < 1 or asked.reads < asked.genomes:
        parser.error("at least 3 genomes, 1 file and one read for each genome are needed")
    community = Community(asked.reads, asked.genomes, asked.seed, files=asked.files, plain=asked.plain)
    written = write_community(asked.out, community)
    sys.stdout.write(
        f"{written.reads:,} reads, {written.bases:,} bases, {asked.genomes} invented genomes in {asked.out}: "
        f"{', '.join(path.name for path in written.fastq)}, {written.truth.name}, {written.genomes.name}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
