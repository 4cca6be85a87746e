"""Invented bacterial genomes: genes on both strands with their own codon bias, foreign islands, close relatives.

Composition profiles tell real genomes apart less well than plain Markov chains suggest: coding sequence differs between
the two strands, genes of one genome differ among themselves, a few per cent came from elsewhere, and relatives share
most of their bias. All of that is here, and nothing is copied: every base is drawn from a seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.uint8]  # bases as A 0, C 1, G 2, T 3
F64 = npt.NDArray[np.float64]

_LETTERS = "TCAG"
_AMINO_ACIDS = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"  # the standard code, TTT to GGG
_SHARE = {  # a typical bacterial proteome, per cent
    "A": 9.5, "R": 5.5, "N": 3.9, "D": 5.4, "C": 1.0, "Q": 3.8, "E": 6.2, "G": 7.4, "H": 2.2, "I": 6.0,
    "L": 10.5, "K": 4.9, "M": 2.5, "F": 3.9, "P": 4.4, "S": 5.9, "T": 5.3, "W": 1.3, "Y": 2.9, "V": 7.1,
}  # fmt: skip
_WORDS = [a + b + c for a in _LETTERS for b in _LETTERS for c in _LETTERS]
_SENSE = [(word, amino) for word, amino in zip(_WORDS, _AMINO_ACIDS, strict=True) if amino != "*"]
_CODE = {letter: code for code, letter in enumerate("ACGT")}
_CODONS: Codes = np.array([[_CODE[base] for base in word] for word, _ in _SENSE], np.uint8)
_STOPS: Codes = np.array([[_CODE[base] for base in word] for word in ("TAA", "TGA", "TAG")], np.uint8)
_START: Codes = np.array([_CODE[base] for base in "ATG"], np.uint8)
_BACKGROUND = np.log([_SHARE[amino] / sum(a == amino for _, a in _SENSE) for _, amino in _SENSE])
_GC_CODON = np.isin(_CODONS, (1, 2))
_GC_PULL = _GC_CODON @ np.array([0.5, 0.25, 1.0])  # mutation pressure is strongest where the code is silent
_SKEW = (_CODONS[:, 2] == 2).astype(float) - (_CODONS[:, 2] == 1)  # G against C at the third place

FAMILIES = 3  # kinds of protein: soluble, membrane, much used
REGIONS = 3  # stretches of lower, usual and higher GC
_FAMILY_SPREAD, _REGION_SPREAD = 0.30, 0.27


@dataclass(frozen=True)
class Recipe:
    """How genomes differ; the defaults are calibrated against real genomes (see tests/testing/test_community.py).

    Args:
        length:        bases of the smallest genome; the largest has twice as many.
        gc:            range of target GC of the genes; what lies between them is poorer.
        lineage_bias:  spread (log weight) of codon preferences shared by the genomes of one lineage.
        own_bias:      spread of what is a genome's own.
        leading:       share of operons on the leading strand; skew: G against C at the third place there (log weight).
        foreign:       share of each genome that is islands from other genomes.
        lineages:      number of lineages, or 0 for one in three genomes.
        divergence:    substitutions per base between the last genome and its relative.
    """

    length: int = 400_000
    gc: tuple[float, float] = (0.26, 0.71)
    lineage_bias: float = 0.30
    own_bias: float = 0.62
    leading: float = 0.60
    skew: float = 0.10
    foreign: float = 0.04
    lineages: int = 0
    divergence: float = 0.04


@dataclass(frozen=True)
class Genome:
    """One invented genome.

    Args: name; codes: uint8 (length,), A 0, C 1, G 2, T 3; circular; relative_of: the genome it descends from, or "".
    """

    name: str
    codes: Codes
    relative_of: str = ""

    @property
    def gc(self) -> float:
        return float(np.isin(self.codes, (1, 2)).mean())


@dataclass(frozen=True)
class Dialect:
    """How one genome writes genes: cumulative codon shares, (FAMILIES, REGIONS, 2 strands, codons), and its GC."""

    cumulative: F64
    gc: float


def invent_genomes(count: int, *, seed: int, recipe: Recipe | None = None) -> list[Genome]:
    """`count` genomes, the same for the same seed; the last is a close relative of the one before it.

    Raises ValueError for fewer than 3.
    """
    if count < 3:
        raise ValueError(f"{count} genomes asked for; a community with a pair of relatives has at least 3")
    recipe = recipe or Recipe()
    rng = np.random.default_rng([seed, count])
    dialects = _dialects(count - 1, recipe, rng)
    genomes = [Genome(f"genome_{number + 1:02d}", _write(number, dialects, recipe, rng)) for number in range(count - 1)]
    parent = genomes[-1]
    codes = _diverge(parent.codes, dialects, recipe, rng)
    return [*genomes, Genome(f"genome_{count:02d}", codes, relative_of=parent.name)]


def _dialects(count: int, recipe: Recipe, rng: np.random.Generator) -> list[Dialect]:
    """Codon preferences: a lineage's part and each genome's own; GC from low to high, with some neighbours close."""
    lineages = recipe.lineages or max(1, -(-count // 3))
    shared = rng.normal(0, recipe.lineage_bias, (lineages, len(_CODONS)))
    families = rng.normal(0, _FAMILY_SPREAD, (FAMILIES, len(_CODONS)))
    low, high = recipe.gc
    places = np.linspace(low, high, count) + rng.normal(0, 0.3 * (high - low) / count, count)
    dialects = []
    for number, gc in enumerate(np.clip(places, low, high)):
        taste = shared[number * lineages // count] + rng.normal(0, recipe.own_bias, len(_CODONS))
        dialects.append(_dialect(float(gc), taste, families, recipe))
    return dialects


def _dialect(gc: float, taste: F64, families: F64, recipe: Recipe) -> Dialect:
    pull = _pull_for(gc, _BACKGROUND + taste)
    region = np.linspace(-_REGION_SPREAD, _REGION_SPREAD, REGIONS)
    strand = np.array([recipe.skew, -recipe.skew])
    weights = (
        _BACKGROUND
        + taste
        + families[:, None, None, :]
        + (pull + region)[None, :, None, None] * _GC_PULL
        + strand[None, None, :, None] * _SKEW
    )
    shares = np.exp(weights)
    shares /= shares.sum(axis=-1, keepdims=True)
    return Dialect(np.cumsum(shares, axis=-1), gc)


def _pull_for(gc: float, weights: F64) -> float:
    """The mutation pressure that makes coding sequence have this GC, by bisection."""
    low, high = -6.0, 6.0
    for _ in range(40):
        middle = (low + high) / 2
        shares = np.exp(weights + middle * _GC_PULL)
        found = float((shares / shares.sum()) @ _GC_CODON.mean(axis=1))
        low, high = (middle, high) if found < gc else (low, middle)
    return (low + high) / 2


def _write(number: int, dialects: Sequence[Dialect], recipe: Recipe, rng: np.random.Generator) -> Codes:
    """One genome: operons of its own dialect, and islands of 8 to 30 kb in somebody else's."""
    length = int(recipe.length * rng.uniform(1, 2))
    pieces: list[Codes] = []
    written = 0
    while written < length:
        leading = written < length / 2  # the replication fork turns round half-way
        if rng.random() < recipe.foreign / 4:  # operons have about 5 kb, islands 19
            donor = dialects[int(rng.integers(len(dialects)))]
            wanted = int(rng.uniform(8_000, 30_000))
        else:
            donor, wanted = dialects[number], 1
        for piece in _stretch(donor, wanted, leading, recipe, rng):
            pieces.append(piece)
            written += len(piece)
    return np.concatenate(pieces)[:length]


def _stretch(dialect: Dialect, wanted: int, leading: bool, recipe: Recipe, rng: np.random.Generator) -> Iterator[Codes]:
    """Operons, until there are `wanted` bases or more."""
    written = 0
    while written < wanted:
        with_fork = rng.random() < recipe.leading
        forward = with_fork == leading
        family, region = int(rng.integers(FAMILIES)), int(rng.integers(REGIONS))
        table = dialect.cumulative[family, region, 0 if with_fork else 1]
        for _ in range(1 + int(rng.poisson(3))):
            gene = _gene(table, rng)
            between = _between(dialect.gc, rng)
            yield gene if forward else reverse_complement(gene)
            yield between
            written += len(gene) + len(between)


def _gene(table: F64, rng: np.random.Generator) -> Codes:
    codons = 60 + int(rng.gamma(2.0, 130.0))
    drawn = np.minimum(np.searchsorted(table, rng.random(codons)), len(_CODONS) - 1)
    stop = _STOPS[int(rng.integers(len(_STOPS)))]
    return np.concatenate([_START, _CODONS[drawn].ravel(), stop])


def _between(gc: float, rng: np.random.Generator) -> Codes:
    """Sequence between genes, somewhat poorer in GC than the genes."""
    size = int(rng.gamma(1.5, 80.0))
    strong = rng.random(size) < max(0.15, gc - 0.06)
    other = rng.random(size) < 0.5
    bases: Codes = np.where(strong, np.where(other, 1, 2), np.where(other, 0, 3)).astype(np.uint8)
    return bases


def _diverge(codes: Codes, dialects: Sequence[Dialect], recipe: Recipe, rng: np.random.Generator) -> Codes:
    """A relative: the same genome with substitutions, a few lost and gained bases, and one island of its own."""
    draw = rng.random(len(codes))
    changed = draw < recipe.divergence
    mutated = codes.copy()
    mutated[changed] = (mutated[changed] + rng.integers(1, 4, int(changed.sum()), dtype=np.uint8)) % 4
    copies = np.ones(len(codes), np.int64)
    copies[draw > 0.999] = 0
    copies[(draw > 0.998) & (draw <= 0.999)] = 2
    mutated = np.repeat(mutated, copies)
    donor = dialects[int(rng.integers(len(dialects)))]
    island = np.concatenate(list(_stretch(donor, 15_000, True, recipe, rng)))
    cut = int(rng.integers(len(mutated)))
    return np.concatenate([mutated[:cut], island, mutated[cut:]])


def reverse_complement(codes: Codes) -> Codes:
    """The other strand, read from its own start."""
    flipped: Codes = (np.uint8(3) - codes)[::-1]
    return flipped
