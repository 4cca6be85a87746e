"""Simulated reads: where they come from, how wrong they are, and that their qualities say so."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from isthmus.core.errors import InvalidInput
from isthmus.testing.genomes import Genome
from isthmus.testing.reads import Sampling, lognormal_abundance, read_genomes, simulate_reads

PERFECT = Sampling(mean_length=500, shape=0, error_rate=1e-9)
COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")


def genome(size: int = 20_000, seed: int = 1) -> Genome:
    return Genome("one", np.random.default_rng(seed).integers(0, 4, size, dtype=np.uint8))


def letters(one: Genome) -> bytes:
    return np.frombuffer(b"ACGT", np.uint8)[one.codes].tobytes()


def test_reads_without_errors_lie_in_the_circular_genome_on_both_strands() -> None:
    """Each read is a piece of the genome, across its end too, or of the other strand; about half are."""
    one = genome()
    circle = letters(one) + letters(one)[:500]

    reads = list(simulate_reads([one], [400], PERFECT, seed=3))

    forward = [read.sequence in circle for read in reads]
    reverse = [read.sequence.translate(COMPLEMENT)[::-1] in circle for read in reads]
    assert all(a or b for a, b in zip(forward, reverse, strict=True))
    assert 150 < sum(forward) < 250
    assert any(read.sequence not in letters(one) for read, ahead in zip(reads, forward, strict=True) if ahead)


def test_counts_and_labels_are_those_asked_for() -> None:
    """Every genome gets its number of reads, in mixed order, ids are unique and count from 1."""
    genomes = [Genome(name, genome(seed=i).codes) for i, name in enumerate("abc")]

    reads = list(simulate_reads(genomes, [5, 0, 300], PERFECT, seed=3))

    labels = [read.label for read in reads]
    assert [labels.count(name) for name in "abc"] == [5, 0, 300]
    assert labels != sorted(labels)
    assert [read.id for read in reads] == [f"read_{i:06d}" for i in range(1, 306)]


def test_errors_are_as_many_as_asked_and_qualities_say_so() -> None:
    """At 5 %, substitutions alone leave 0.98^k of k-mers; length hardly changes; the mean quality is that of 5 %."""
    one = genome(200_000)
    sampling = Sampling(mean_length=10_000, shape=0, error_rate=0.05, error_spread=0.0)

    reads = list(simulate_reads([one], [60], sampling, seed=1))

    text = letters(one)
    truth = {text[i : i + 12] for i in range(len(text) - 11)}
    truth |= {word.translate(COMPLEMENT)[::-1] for word in truth}
    kept = np.mean([read.sequence[i : i + 12] in truth for read in reads for i in range(0, 9_000, 12)])
    by_chance = len(truth) / 4**12
    assert kept - (1 - kept) * by_chance == pytest.approx(0.95**12, abs=0.04)
    assert np.mean([len(read.sequence) for read in reads]) == pytest.approx(10_000, rel=0.01)
    error = np.concatenate([10 ** (-(np.frombuffer(read.quality, np.uint8) - 33.0) / 10) for read in reads])
    assert error.mean() == pytest.approx(0.05, rel=0.15)
    assert all(len(read.quality) == len(read.sequence) for read in reads)


def test_a_read_is_never_longer_than_its_genome() -> None:
    """A phage of 300 bases gives reads of 300 bases."""
    reads = list(simulate_reads([genome(300)], [20], PERFECT, seed=1))

    assert {len(read.sequence) for read in reads} == {300}


def test_record_is_four_lines() -> None:
    """A FASTQ record as written."""
    (read,) = simulate_reads([genome(40)], [1], PERFECT, seed=1)

    lines = read.fastq.split(b"\n")
    assert lines == [b"@read_000001", read.sequence, b"+", read.quality, b""]


def test_genomes_are_read_plain_and_gzip(tmp_path: Path) -> None:
    """Records are joined, case and line ends do not matter, N becomes some base, and the name is the file's."""
    text = b">chromosome 1\nACGT\nacgt\n>plasmid\r\nGGNN\r\n"
    (tmp_path / "bug.fna").write_bytes(text)
    (tmp_path / "bag.fna.gz").write_bytes(gzip.compress(text))

    plain, packed = read_genomes([tmp_path / "bug.fna", tmp_path / "bag.fna.gz"])

    assert (plain.name, packed.name) == ("bug", "bag")
    assert plain.codes[:10].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 2, 2]
    assert len(plain.codes) == 12
    assert plain.codes.max() <= 3
    assert plain.codes.tolist() == packed.codes.tolist()


def test_a_file_without_sequence_is_refused(tmp_path: Path) -> None:
    """The message names the file."""
    (tmp_path / "empty.fna").write_bytes(b"")

    with pytest.raises(InvalidInput, match=r"empty\.fna"):
        read_genomes([tmp_path / "empty.fna"])


def test_abundance_sums_to_one_and_sigma_zero_is_even() -> None:
    """Shares are shares; sigma spreads them."""
    even = lognormal_abundance(8, 0.0, np.random.default_rng(1))
    uneven = lognormal_abundance(500, 1.2, np.random.default_rng(1))

    assert even.tolist() == pytest.approx([1 / 8] * 8)
    assert uneven.sum() == pytest.approx(1)
    assert np.log(uneven).std() == pytest.approx(1.2, rel=0.1)
