"""Long reads of known origin, simulated from genomes: both strands, errors, qualities that mean something."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isthmus.core.errors import InvalidInput
from isthmus.testing.genomes import Codes, Genome, reverse_complement

I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]

_ASCII: Codes = np.frombuffer(b"ACGT", np.uint8)
_CHUNK = 256  # reads made at a time: bounds memory, and is part of what a seed means
_SPLIT = (0.4, 0.7)  # errors: substitutions below the first, then deletions, then insertions
_NOISE = 5  # qualities lie this far to either side of their read's
_WRONG = 3  # a wrong base is so much lower


@dataclass(frozen=True)
class Sampling:
    """How reads are drawn.

    Args:
        mean_length: bases, before errors; lengths are gamma distributed with `shape`, or all equal where it is 0.
        min_length:  no usual read is shorter.
        error_rate:  per base, 40 % substitutions, 30 % deletions, 30 % insertions; varies by `error_spread` (log) from
                     read to read.
        short:       share of reads that broke: 100 to 999 bases.
        poor:        share of reads with an error rate of 25 %.
    """

    mean_length: int = 8_000
    shape: float = 2.5
    min_length: int = 1_000
    error_rate: float = 0.05
    error_spread: float = 0.2
    short: float = 0.0
    poor: float = 0.0


@dataclass(frozen=True)
class Read:
    """One read: id, name of its genome, bases and qualities as they stand in a FASTQ file (Phred+33)."""

    id: str
    label: str
    sequence: bytes
    quality: bytes

    @property
    def fastq(self) -> bytes:
        """The record, four lines."""
        return b"@%s\n%s\n+\n%s\n" % (self.id.encode(), self.sequence, self.quality)


@dataclass(frozen=True)
class _Draws:
    """Where each read comes from, all reads in their order: genome, first base, length, strand, error rate."""

    genome: I64
    start: I64
    length: I64
    forward: npt.NDArray[np.bool_]
    error: F64


def read_genomes(paths: Sequence[Path]) -> list[Genome]:
    """Genomes from FASTA files, plain or gzip, one file each, named like the file.

    Records of one file are joined; letters other than ACGT become bases at random (the same ones each time).
    Raises InvalidInput for a file without sequence.
    """
    return [_read_genome(Path(path)) for path in paths]


def _read_genome(path: Path) -> Genome:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    bodies = [record.partition(b"\n")[2] for record in raw.split(b">")[1:]]
    letters = np.frombuffer(b"".join(b"".join(bodies).split()).upper(), np.uint8)
    if not len(letters):
        raise InvalidInput(f"{path}: no sequence found; expected a FASTA file with one genome")
    table = np.full(256, 255, np.uint8)
    table[_ASCII] = np.arange(4)
    codes = table[letters]
    unknown = codes == 255
    codes[unknown] = np.random.default_rng(0).integers(0, 4, int(unknown.sum()), dtype=np.uint8)
    return Genome(path.name.split(".fna")[0].split(".fa")[0], codes)


def lognormal_abundance(count: int, sigma: float, rng: np.random.Generator) -> F64:
    """(count,) shares of reads that sum to 1; sigma 0 is a balanced community."""
    weights = np.exp(rng.normal(0.0, sigma, count))
    shares: F64 = weights / weights.sum()
    return shares


def simulate_reads(
    genomes: Sequence[Genome], counts: Sequence[int], sampling: Sampling, *, seed: int, prefix: str = "read"
) -> Iterator[Read]:
    """`counts[i]` reads of `genomes[i]`, in random order; the same bytes for the same arguments.

    Genomes are circular; a read is at most as long as its genome. Memory: some hundred reads at a time.
    """
    draws = _draw(genomes, counts, sampling, np.random.default_rng([seed, 0]))
    total = len(draws.genome)
    for first in range(0, total, _CHUNK):
        rows = np.arange(first, min(first + _CHUNK, total))
        rng = np.random.default_rng([seed, 1, first])
        for row, sequence, quality in _copy(genomes, draws, rows, rng):
            yield Read(f"{prefix}_{row + 1:06d}", genomes[draws.genome[row]].name, sequence, quality)


def _draw(genomes: Sequence[Genome], counts: Sequence[int], sampling: Sampling, rng: np.random.Generator) -> _Draws:
    genome = rng.permutation(np.repeat(np.arange(len(genomes)), counts))
    total = len(genome)
    sizes = np.array([len(one.codes) for one in genomes])[genome]
    length = np.full(total, sampling.mean_length)
    if sampling.shape:
        drawn = rng.gamma(sampling.shape, sampling.mean_length / sampling.shape, total)
        length = np.maximum(drawn, sampling.min_length).astype(np.int64)
    broken = rng.random(total) < sampling.short
    length[broken] = rng.integers(100, 1_000, int(broken.sum()))
    error = sampling.error_rate * np.exp(rng.normal(0, sampling.error_spread, total))
    error[rng.random(total) < sampling.poor] = 0.25
    start = (rng.random(total) * sizes).astype(np.int64)
    return _Draws(genome, start, np.minimum(length, sizes), rng.random(total) < 0.5, error)


def _copy(
    genomes: Sequence[Genome], draws: _Draws, rows: I64, rng: np.random.Generator
) -> Iterator[tuple[int, bytes, bytes]]:
    """Sequence and quality of each of `rows`, with errors."""
    templates = [_template(genomes[draws.genome[row]].codes, draws, row) for row in rows]
    lengths = np.array([len(one) for one in templates])
    codes, wrong, copies = _with_errors(np.concatenate(templates), np.repeat(draws.error[rows], lengths), rng)
    begins = np.concatenate([[0], np.cumsum(lengths)])
    ends = np.concatenate([[0], np.cumsum(copies)])[begins]
    quality = _qualities(np.repeat(_phred(draws.error[rows]), np.diff(ends)), wrong, rng).tobytes()
    letters = _ASCII[codes].tobytes()
    for row, first, last in zip(rows.tolist(), ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        yield row, letters[first:last], quality[first:last]


def _template(codes: Codes, draws: _Draws, row: int) -> Codes:
    first, last = int(draws.start[row]), int(draws.start[row] + draws.length[row])
    piece = codes[first:last]
    if last > len(codes):
        piece = np.concatenate([piece, codes[: last - len(codes)]])
    return piece if draws.forward[row] else reverse_complement(piece)


def _with_errors(
    codes: Codes, rate: F64, rng: np.random.Generator
) -> tuple[Codes, npt.NDArray[np.bool_], npt.NDArray[np.int8]]:
    """Bases with errors, which of them are wrong, and how many copies (0, 1, 2) came of each true base."""
    draw = rng.random(len(codes), dtype=np.float32)
    share = draw / rate.astype(np.float32)
    substituted = np.flatnonzero(share < _SPLIT[0])
    inserted = np.flatnonzero((share >= _SPLIT[1]) & (share < 1))
    codes = codes.copy()
    codes[substituted] = (codes[substituted] + rng.integers(1, 4, len(substituted), dtype=np.uint8)) % 4
    copies = np.ones(len(codes), np.int8)
    copies[(share >= _SPLIT[0]) & (share < _SPLIT[1])] = 0
    copies[inserted] = 2
    wrong = np.zeros(len(codes), bool)
    wrong[substituted] = True
    ends = np.cumsum(copies, dtype=np.int64)
    out, wrong = np.repeat(codes, copies), np.repeat(wrong, copies)
    new = ends[inserted] - 1
    out[new] = rng.integers(0, 4, len(new), dtype=np.uint8)
    wrong[new] = True
    return out, wrong, copies


def _phred(error: F64) -> npt.NDArray[np.uint8]:
    """The middle quality of reads with these error rates, so that the mean error probability comes out right."""
    spread = 10 ** (-np.arange(-_NOISE, _NOISE + 1) / 10)
    middle: npt.NDArray[np.uint8] = np.clip(np.rint(-10 * np.log10(error / spread.mean())), 2, 60).astype(np.uint8)
    return middle


def _qualities(
    middle: npt.NDArray[np.uint8], wrong: npt.NDArray[np.bool_], rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    quality = middle + rng.integers(33 - _NOISE, 34 + _NOISE, len(middle), dtype=np.uint8)
    quality -= wrong.astype(np.uint8) * np.uint8(_WRONG)
    lowest: npt.NDArray[np.uint8] = np.maximum(quality, np.uint8(33 + 1))
    return lowest
