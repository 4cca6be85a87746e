"""The most telling k-mers are found, named and signed right, whatever embedding the reads have."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.kernels.profiles import profiles, reverse_complement
from isthmus.report.composition import decode, telling_kmers


def counted(sequences: list[str], k: int) -> np.ndarray:
    """Frequencies of canonical k-mers, counted one by one."""
    kmers = profiles(f"kmer:{k}").kmers
    place = {kmer: i for i, kmer in enumerate(kmers)}
    table = np.zeros((len(sequences), len(kmers)))
    for row, sequence in zip(table, sequences, strict=True):
        for i in range(len(sequence) - k + 1):
            word = sequence[i : i + k]
            row[place[min(word, reverse_complement(word))]] += 1
    return table / table.sum(axis=1, keepdims=True)


def two_organisms(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Thirty reads each of random DNA; into those of cluster 1 the word GATC is sown."""
    rng = np.random.default_rng(8)
    reads = ["".join(rng.choice(list("ACGT"), 1_500)) for _ in range(60)]
    reads = [
        read if i < 30 else "".join(read[j : j + 46] + "GATC" for j in range(0, 1_500, 50))
        for i, read in enumerate(reads)
    ]
    frequencies = counted(reads, 4)
    basis = profiles("kernel:4").basis
    assert basis is not None
    return frequencies if kind == "kmer:4" else frequencies @ basis[:, :103], np.repeat([0, 1], 30).astype(np.int32)


@pytest.mark.parametrize("kind", ["kmer:4", "kernel:4"])
def test_a_sown_word_is_the_most_telling(kind: str) -> None:
    """GATC leads the list, more in the cluster that has it and less in the other."""
    features, cluster = two_organisms(kind)

    found = telling_kmers(features, cluster, kind)

    assert found is not None
    assert found.kmers[0] == "GATC"
    assert found.clusters == (0, 1)
    assert found.z[1, 0] > 2
    assert found.z[0, 0] == pytest.approx(-found.z[1, 0])


def test_kernel_coordinates_give_back_the_differences_of_frequencies() -> None:
    """Differences between reads come back, but for the ends of the reads, where words have no neighbour."""
    features, _ = two_organisms("kernel:4")
    plain, _ = two_organisms("kmer:4")

    found = decode(features, "kernel:4")

    assert found is not None
    back = found[0] - found[0].mean(axis=0)
    true = plain - plain.mean(axis=0)
    # a word of 1,497 has a frequency of 7e-4; the three words at each end break the symmetry
    assert np.abs(back - true).max() < 0.03 * np.abs(true).max()


def test_without_kmers_or_without_two_clusters_there_is_nothing_to_tell() -> None:
    """Embeddings that are no k-mer profiles, one cluster, unassigned reads only: no table."""
    features, cluster = two_organisms("kmer:4")

    assert telling_kmers(features, cluster, "esm:650M") is None
    assert telling_kmers(features[:, :7], cluster, "kmer:4") is None
    assert telling_kmers(features, np.zeros(60, np.int32), "kmer:4") is None
    assert telling_kmers(features, np.full(60, -1, np.int32), "kmer:4") is None
    assert telling_kmers(features[:0], cluster[:0], "kmer:4") is None
