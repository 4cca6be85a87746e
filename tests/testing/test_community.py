"""The mock community: reproducible to the byte, as hard as real genomes, and what it promises to hold."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from isthmus.kernels.profiles import canonical_kmers, kernel4_basis, reverse_complement
from isthmus.testing.community import Community, main, read_counts, write_community
from isthmus.testing.genomes import Genome, invent_genomes
from isthmus.testing.reads import Read, Sampling, simulate_reads

SMALL = Community(reads=120, seed=5)
WORDS = ["".join(word) for word in itertools.product("ACGT", repeat=4)]


def counts_256(sequences: Iterable[bytes]) -> np.ndarray:
    """Shares of the 256 4-mers of each sequence, as it is written; float64 (N, 256)."""
    code = np.zeros(256, np.int64)
    code[np.frombuffer(b"ACGT", np.uint8)] = range(4)
    rows = []
    for sequence in sequences:
        a = code[np.frombuffer(sequence, np.uint8)]
        words = ((a[:-3] * 4 + a[1:-2]) * 4 + a[2:-1]) * 4 + a[3:]
        rows.append(np.bincount(words, minlength=256) / len(words))
    return np.array(rows)


def kernel_103(shares: np.ndarray) -> np.ndarray:
    """The strand-symmetric kernel of 256 shares, z-scored."""
    canonical = canonical_kmers(4)
    merge = np.array([[word in (k, reverse_complement(k)) for k in canonical] for word in WORDS], float)
    features = shares @ merge @ kernel4_basis()
    return (features - features.mean(axis=0)) / features.std(axis=0)


def ari(features: np.ndarray, truth: list[str]) -> float:
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    found = KMeans(len(set(truth)), n_init=5, random_state=0).fit_predict(features)
    return float(adjusted_rand_score(truth, found))


def balanced(genomes: list[Genome], each: int, seed: int) -> list[Read]:
    return list(simulate_reads(genomes, [each] * len(genomes), Sampling(mean_length=8_000, shape=0), seed=seed))


@pytest.mark.slow
def test_invented_genomes_are_as_hard_to_tell_apart_as_real_ones() -> None:
    """Balanced 8 kb reads, true K, median of five communities: raw 4-mers 0.55-0.70, z-scored kernel 0.75-0.85.

    Real genomes: 0.64 and 0.80. Plain Markov chains would turn the order round.
    """
    raw, kernel = [], []
    for seed in range(1, 6):
        reads = balanced(invent_genomes(12, seed=seed), 80, seed)
        shares, truth = counts_256(read.sequence for read in reads), [read.label for read in reads]
        raw.append(ari(shares, truth))
        kernel.append(ari(kernel_103(shares), truth))

    assert 0.55 <= np.median(raw) <= 0.70, raw
    assert 0.75 <= np.median(kernel) <= 0.85, kernel


@pytest.mark.parametrize("words", [[], ["--plain"], ["--files", "3"]])
def test_same_seed_same_bytes(tmp_path: Path, words: list[str]) -> None:
    """Two runs write the same bytes, compressed or not; another seed writes others."""
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        assert main(["--out", str(tmp_path / name), "--reads", "60", "--seed", seed, *words]) == 0

    files = {name: {p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in "abc"}
    assert files["a"] == files["b"]
    assert files["a"].keys() == files["c"].keys()
    assert all(files["a"][name] != files["c"][name] for name in files["a"])


def test_truth_covers_every_read_in_order(tmp_path: Path) -> None:
    """truth.tsv names each read once, in the order of the file, and genomes.tsv adds up to them."""
    written = write_community(tmp_path, SMALL)

    lines = gzip.decompress(written.fastq[0].read_bytes()).decode().splitlines()
    ids = [line[1:] for line in lines[::4]]
    truth = [line.split("\t") for line in written.truth.read_text().splitlines()]
    table = [line.split("\t") for line in written.genomes.read_text().splitlines()]
    assert truth[0] == ["id", "label"]
    assert [row[0] for row in truth[1:]] == ids
    assert len(ids) == len(set(ids)) == SMALL.reads == written.reads
    labels = [row[1] for row in truth[1:]]
    assert {row[0]: int(row[3]) for row in table[1:]} == {row[0]: labels.count(row[0]) for row in table[1:]}
    assert sum(int(row[4]) for row in table[1:]) == sum(map(len, lines[1::4])) == written.bases


def test_files_share_the_reads(tmp_path: Path) -> None:
    """Dealt into three plain files, the records are those of one file."""
    one = write_community(tmp_path / "one", Community(reads=50, plain=True))
    three = write_community(tmp_path / "three", Community(reads=50, plain=True, files=3))

    def records(paths: tuple[Path, ...]) -> list[bytes]:
        lines = b"".join(path.read_bytes() for path in paths).splitlines()
        return sorted(b"\n".join(lines[i : i + 4]) for i in range(0, len(lines), 4))

    assert [path.name for path in three.fastq] == ["reads-001.fastq", "reads-002.fastq", "reads-003.fastq"]
    assert records(one.fastq) == records(three.fastq)


def test_genomes_span_gc_and_the_last_two_are_relatives() -> None:
    """GC from about 0.25 to about 0.70; the relative agrees with its parent in some 96 of 100 places, others do not."""
    genomes = invent_genomes(12, seed=1)

    gcs = [genome.gc for genome in genomes]
    assert min(gcs) < 0.29
    assert max(gcs) > 0.66
    assert all(0.22 <= gc <= 0.72 for gc in gcs)
    assert [genome.relative_of for genome in genomes] == [""] * 11 + ["genome_11"]
    child, parent, stranger = genomes[-1].codes, genomes[-2].codes, genomes[0].codes
    assert shared_20mers(child, parent) == pytest.approx(0.96**20 * 0.998**20, rel=0.15)
    assert shared_20mers(child, stranger) < 0.01


def shared_20mers(child: np.ndarray, parent: np.ndarray) -> float:
    """Share of the child's 20-mers that the parent has."""
    weights = 4 ** np.arange(20, dtype=np.int64)

    def words(codes: np.ndarray) -> np.ndarray:
        return np.lib.stride_tricks.sliding_window_view(codes[:200_000].astype(np.int64), 20) @ weights

    return float(np.isin(words(child), words(parent)).mean())


def test_abundance_is_uneven_and_exact() -> None:
    """Counts add up to what was asked, every genome has reads, and the largest has many times the smallest."""
    counts = read_counts(Community(reads=4_000))

    assert sum(counts) == 4_000
    assert min(counts) >= 1
    assert max(counts) > 5 * min(counts)


def test_cleaning_has_work(tmp_path: Path) -> None:
    """Some reads are under 1 kb and some under Q7; most are neither."""
    written = write_community(tmp_path, Community(reads=600, plain=True))

    lines = written.fastq[0].read_bytes().splitlines()
    lengths = np.array([len(line) for line in lines[1::4]])
    phred = [np.frombuffer(line, np.uint8).astype(float) - 33 for line in lines[3::4]]
    quality = np.array([-10 * np.log10((10 ** (-q / 10)).mean()) for q in phred])
    assert 0.01 < (lengths < 1_000).mean() < 0.06
    assert 0.01 < (quality < 7).mean() < 0.06
    assert np.median(quality) == pytest.approx(-10 * np.log10(0.05), abs=0.6)
    assert lengths.mean() == pytest.approx(8_000, rel=0.1)


def test_too_few_genomes_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A community of two has no pair of relatives beside another genome; the command says so and writes nothing."""
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path / "x"), "--genomes", "2"])

    assert "at least 3 genomes" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
