"""Counts of k-mers in memory are exact: against a count by numpy, for every level, length and kind of sequence."""

from __future__ import annotations

import ctypes
import itertools
from pathlib import Path

import numpy as np
import pytest

from isthmus.kernels import native, scan
from isthmus.kernels.profiles import profiles

LEVELS = [path for path in sorted(native._LIB.glob("isthmus_*.so")) if path.name in native._candidates()]
pytestmark = pytest.mark.skipif(not LEVELS, reason="no compiled kernels here")
# Around the shortest run counted in pairs, its blocks of 64, and the pieces of a long run (60,000 and 120,000).
LENGTHS = [*range(236, 376), 2000, 59_999, 60_003, 119_999, 120_002, 120_003, 120_004, 180_003, 250_001]


@pytest.fixture(params=LEVELS, ids=lambda path: path.stem)
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each of the libraries in turn takes the place of the one chosen for this processor."""
    found = ctypes.CDLL(str(request.param))
    monkeypatch.setattr(scan, "library", lambda: found)
    return Path(request.param)


def expected(seq: np.ndarray, features: str) -> np.ndarray:
    """Canonical counts, each k-mer written as a number of base 4 and counted by bincount."""
    p = profiles(features)
    codes = ((seq >> 1) & 3).astype(np.int64)
    known = np.isin(seq, np.frombuffer(b"ACGTUacgtu", np.uint8))
    n = max(0, len(seq) - p.k + 1)
    places, whole = np.zeros(n, np.int64), np.ones(n, bool)
    for i in range(p.k):
        places = places * 4 + codes[i : i + n]
        whole &= known[i : i + n]
    table = np.bincount(places[whole], minlength=4**p.k + 1)
    return np.asarray(table[p.forward] + table[p.reverse])


@pytest.mark.parametrize("features", ["kmer:3", "kmer:4", "kmer:5", "kmer:6"])
def test_counts_of_every_length(level: Path, features: str) -> None:
    """Reads of all lengths around the borders of blocks and pieces, one behind the other, none read into the next."""
    rng = np.random.default_rng(31)
    text = rng.choice(np.frombuffer(b"ACGTUacgtu", np.uint8), sum(LENGTHS))
    ends = np.cumsum([0, *LENGTHS])

    counts = scan.count_canonical(text, ends, features)

    for i, (lo, hi) in enumerate(itertools.pairwise(ends)):
        np.testing.assert_array_equal(counts[i], expected(text[lo:hi], features), err_msg=f"{hi - lo} bp")


@pytest.mark.parametrize("unit", ["A", "AC", "ACGT", "ACGTT", "GATTACA"])
def test_counts_of_one_word_again_and_again(level: Path, unit: str) -> None:
    """A million letters of one short repeat: far more than 16 bits hold of one k-mer."""
    text = np.resize(np.frombuffer(unit.encode(), np.uint8), 1_000_003)

    counts = scan.count_canonical(text, np.array([0, len(text)]))

    np.testing.assert_array_equal(counts[0], expected(text, "kmer:4"))
    assert counts.max() > 65_535


def test_counts_between_other_letters(level: Path) -> None:
    """Runs of all lengths from 0 to 400 between two N: a k-mer that holds an N is not counted."""
    rng = np.random.default_rng(32)
    runs = [rng.choice(np.frombuffer(b"ACGT", np.uint8), n).tobytes() for n in range(401)]
    text = np.frombuffer(b"N".join(runs), np.uint8)

    counts = scan.count_canonical(text, np.array([0, len(text)]))

    np.testing.assert_array_equal(counts[0], expected(text, "kmer:4"))
    assert counts.sum() == sum(max(0, n - 3) for n in range(401))


@pytest.mark.parametrize("features", ["kmer:3", "kmer:4", "kmer:5", "kmer:6"])
def test_whole_is_halves_and_what_lies_between(level: Path, features: str) -> None:
    """Frequencies of the whole read are those of its counts, for every length and place of an N."""
    rng = np.random.default_rng(33)
    for n in range(60):
        seq = rng.choice(np.frombuffer(b"ACGT", np.uint8), n)
        seq[rng.integers(0, n, 1) if n % 3 else []] = ord("N")
        text = np.frombuffer(b">r\n%s\n" % seq.tobytes(), np.uint8)
        scanner = scan.Scanner(scan.FASTA, features)
        scanner._library = scan.library()

        batch = scanner.scan(text, 0, len(text), at_end=True)

        for part, found in (
            (seq, batch.whole[0]),
            (seq[: n // 2], batch.halves[0, 0]),
            (seq[n - n // 2 :], batch.halves[1, 0]),
        ):
            counts = expected(part, features)
            np.testing.assert_array_equal(found, (counts / max(1, counts.sum())).astype(np.float32))
