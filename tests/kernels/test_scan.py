"""The compiled scan against its plain twin, and both against numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.core.flags import ReadFlag
from isthmus.kernels.batch import FASTA, FASTQ, Batch, Cut, Status, Wrong
from isthmus.kernels.native import library
from isthmus.kernels.profiles import canonical_kmers, profiles, reverse_complement
from isthmus.kernels.scan import Scanner, count_canonical

needs_library = pytest.mark.skipif(library() is None, reason="no compiled kernels here")
IMPLEMENTATIONS = ["plain"] if library() is None else ["compiled", "plain"]
FEATURES = ["kernel:4", "kmer:3", "kmer:4", "kmer:5", "kmer:6"]


def make(implementation: str, format: int, features: str, **more: Any) -> Scanner:
    scanner = Scanner(format, features, **more)
    if implementation == "plain":
        scanner._library = None
    return scanner


def scan_all(scanner: Scanner, text: bytes, block: int) -> Iterator[tuple[Any, ...]]:
    """All batches as comparable values, with the text shown in blocks that grow where a record does not fit."""
    base, shown = 0, block
    while True:
        piece = np.frombuffer(text[base : base + shown] or b"", np.uint8).copy()
        at_end = base + shown >= len(text)
        batch = scanner.scan(piece, 0, len(piece), at_end=at_end)
        yield comparable(batch, base)
        base += batch.next
        if batch.status in (Status.AT_END, Status.BAD):
            return
        shown = shown + block if batch.status is Status.MORE and not batch.next else block


def comparable(batch: Batch, base: int) -> tuple[Any, ...]:
    rows = batch.rows.copy()
    rows["start"] += base
    rows["end"] += base
    arrays = (rows, batch.ids, np.ascontiguousarray(batch.whole), np.ascontiguousarray(batch.halves))
    counts = (batch.next, batch.records, batch.bases_in, batch.bases_out, batch.dropped)
    return (batch.status, *counts, batch.fault, *(array.tobytes() for array in arrays))


def scan_one(text: bytes, features: str = "kmer:4", *, format: int = FASTQ, **more: Any) -> Batch:
    piece = np.frombuffer(text, np.uint8).copy()
    return Scanner(format, features, **more).scan(piece, 0, len(piece), at_end=True)


LETTERS = st.text(alphabet="ACGT", max_size=60) | st.text(alphabet="ACGTUNacgtunRYn-.*", max_size=40)
NAMES = st.from_regex(r"[!-~]{0,8}( [a-z =0-9]{0,8})?", fullmatch=True)


@st.composite
def fastq(draw: st.DrawFn) -> bytes:
    """A FASTQ text of a few records: four lines or wrapped, either line end, and perhaps blank lines."""
    out = []
    for _ in range(draw(st.integers(0, 6))):
        name, seq = draw(NAMES), draw(LETTERS)
        qual = draw(
            st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), min_size=len(seq), max_size=len(seq))
        )
        width = draw(st.sampled_from([1000, 1000, 7, 20]))
        end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
        plus = draw(st.sampled_from(["+", "+", "+" + name]))
        out += ["@" + name, *wrap(seq, width), plus, *wrap(qual, width)]
        out += [""] * draw(st.sampled_from([0, 0, 0, 1]))
        out = [line + end if not line.endswith("\n") else line for line in out]
    return drop_last_newline(draw, "".join(out).encode("latin1"))


@st.composite
def fasta(draw: st.DrawFn) -> bytes:
    out = []
    for _ in range(draw(st.integers(0, 6))):
        out += [">" + draw(NAMES), *wrap(draw(LETTERS), draw(st.sampled_from([1000, 7, 20])))]
        out += [""] * draw(st.sampled_from([0, 0, 1]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    return drop_last_newline(draw, "".join(line + end for line in out).encode("latin1"))


def wrap(text: str, width: int) -> list[str]:
    return [text[i : i + width] for i in range(0, len(text), width)] or [""]


def drop_last_newline(draw: st.DrawFn, text: bytes) -> bytes:
    return text.rstrip(b"\r\n") if draw(st.booleans()) else text


@st.composite
def mutated(draw: st.DrawFn, texts: st.SearchStrategy[bytes]) -> bytes:
    """The text with up to three bytes changed, put in or taken out."""
    text = bytearray(draw(texts))
    for _ in range(draw(st.integers(0, 3))):
        if not text:
            break
        at = draw(st.integers(0, len(text) - 1))
        new = draw(st.sampled_from(b"@>+\n\r \tAN0E!\x00\x1b\x7f\xc3"))
        text[at : at + draw(st.integers(0, 2))] = bytes([new])[: draw(st.integers(0, 1))]
    return bytes(text)


@needs_library
@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    case=st.tuples(st.just(FASTQ), mutated(fastq())) | st.tuples(st.just(FASTA), mutated(fasta())),
    block=st.integers(1, 200),
    max_rows=st.integers(1, 4),
    cut=st.builds(Cut, st.integers(0, 20), st.floats(0, 20), st.floats(0, 1)),
    features=st.sampled_from(["kernel:4", "kmer:3", "kmer:5"]),
)
def test_compiled_scan_equals_plain_twin(
    case: tuple[int, bytes], block: int, max_rows: int, cut: Cut, features: str
) -> None:
    """On valid and mutated text, in blocks of any size, both give the same bytes, counts and faults."""
    format, text = case
    compiled = make("compiled", format, features, cut=cut, max_rows=max_rows)
    plain = make("plain", format, features, cut=cut, max_rows=max_rows)

    assert list(scan_all(compiled, text, block)) == list(scan_all(plain, text, block))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    case=st.tuples(st.just(FASTQ), mutated(fastq())) | st.tuples(st.just(FASTA), mutated(fasta())),
    block=st.integers(1, 90),
)
def test_block_size_changes_nothing(case: tuple[int, bytes], block: int) -> None:
    """Rows, counts and the kind of fault are those of the text shown at once, whatever the blocks."""
    format, text = case
    scanner = Scanner(format, "kmer:3")

    in_blocks = list(scan_all(scanner, text, block))
    at_once = list(scan_all(scanner, text, len(text) + 1))

    assert b"".join(one[8] for one in in_blocks) == b"".join(one[8] for one in at_once)
    assert sum(one[2] for one in in_blocks) == sum(one[2] for one in at_once)
    faults = [one[6] and (one[6].wrong, one[6].line, one[6].byte) for one in (in_blocks[-1], at_once[-1])]
    if not (faults[0] and faults[1] and {faults[0][0], faults[1][0]} & {Wrong.LENGTHS, Wrong.CUT}):
        assert faults[0] == faults[1]
    assert (faults[0] is None) == (faults[1] is None)


@needs_library
@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("length", [0, 3, 4, 5, 11, 150, 639, 1280, 1281, 1283, 5000, 20001])
def test_long_reads_equal_plain_twin(features: str, length: int) -> None:
    """The vector paths for long runs count what the plain twin counts, with and without other letters."""
    rng = np.random.default_rng([7, length])
    seq = rng.choice(list(b"ACGTacgtu"), length).astype(np.uint8)
    broken = seq.copy()
    broken[rng.integers(0, max(1, length), length // 900)] = ord("N")
    text = b"".join(b">r%d\n%s\n" % (i, one.tobytes()) for i, one in enumerate((seq, broken)))

    results = [list(scan_all(make(one, FASTA, features), text, 1 << 20)) for one in IMPLEMENTATIONS]

    assert results[0] == results[1]


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize("length", [2, 10, 77, 3000, 3001])
def test_reverse_complement_has_the_same_profile_and_swapped_halves(features: str, length: int) -> None:
    """Strand symmetry is exact to the bit, for even and odd lengths."""
    rng = np.random.default_rng([3, length])
    seq = "".join(rng.choice(list("ACGTN"), length, p=[0.25, 0.25, 0.25, 0.24, 0.01]))
    mirrored = seq.translate(str.maketrans("ACGT", "TGCA"))[::-1]

    forward = scan_one(f">a\n{seq}\n".encode(), features, format=FASTA)
    backward = scan_one(f">a\n{mirrored}\n".encode(), features, format=FASTA)

    assert forward.whole.tobytes() == backward.whole.tobytes()
    assert forward.halves[0].tobytes() == backward.halves[1].tobytes()
    assert forward.halves[1].tobytes() == backward.halves[0].tobytes()


@pytest.mark.parametrize("k", [3, 4, 5, 6])
def test_frequencies_are_counted_by_hand(k: int) -> None:
    """Canonical frequencies equal those of a dictionary, U counts as T, and they sum to one."""
    seq = "ACGUTTGCANNACGTTGCATTTacgatcgatnACGATCGATTAGC"
    kmers = [word for i in range(len(seq) - k + 1) if "N" not in (word := seq.upper().replace("U", "T")[i : i + k])]
    canonical = [min(word, reverse_complement(word)) for word in kmers]

    batch = scan_one(f">a\n{seq}\n".encode(), f"kmer:{k}", format=FASTA)

    expected = [np.float32(canonical.count(word) / len(canonical)) for word in canonical_kmers(k)]
    assert batch.whole[0].tolist() == expected
    assert math.isclose(float(batch.whole[0].sum()), 1, rel_tol=1e-6)


def test_rows_are_worked_out_by_hand() -> None:
    """Length, gc, quality, ambiguous letters and the id of one record."""
    batch = scan_one(b"@read/1 x=1\nACGNs-GG\n+\n!!!!!!!!\n@b\nAC\n+\n5?\n")

    first, second = batch.rows
    assert batch.ids.tobytes() == b"read/1b"
    assert (first["length"], first["n_ambiguous"], first["gc"]) == (8, 3, np.float32(4 / 5))  # C G G G of A C G G G
    assert first["quality"] == 0
    assert second["quality"] == np.float32(-10 * math.log10((10**-2 + 10**-3) / 2))
    assert second["flags"] == ReadFlag.NO_KMERS | ReadFlag.HALF_EMPTY


@pytest.mark.parametrize(
    ("record", "counted"),
    [(b"@a\nACG\n+\n!!!\n", 0), (b"@a\nNNNNNNNN\n+\n!!!!!!!!\n", 1), (b"@a\nNNNNNNNN\n+\nIIIIIIII\n", 2)],
)
def test_first_filter_that_applies_counts(record: bytes, counted: int) -> None:
    """A read that several filters would take is counted once, under the first: length, quality, share of N."""
    batch = scan_one(record, cut=Cut(min_length=4, min_mean_quality=10, max_n_share=0.5))

    assert batch.dropped == tuple(int(i == counted) for i in range(3))
    assert (batch.records, len(batch.rows), batch.bases_out) == (1, 0, 0)


def test_thresholds_are_inclusive() -> None:
    """A read exactly at a threshold stays."""
    batch = scan_one(b"@a\nACGTNN\n+\n++++++\n", cut=Cut(min_length=6, min_mean_quality=10, max_n_share=1 / 3))

    assert len(batch.rows) == 1


def test_kernel4_basis_spans_what_the_constraints_leave() -> None:
    """103 dimensions, orthonormal to 1e-12, orthogonal to every constraint, whatever the sum of frequencies."""
    p = profiles("kernel:4")
    from isthmus.kernels.profiles import kernel4_basis

    words = ["".join(w) for w in np.array(np.meshgrid(*[list("ACGT")] * 4, indexing="ij")).reshape(4, -1).T]
    place = {word: j for j, word in enumerate(p.kmers)}
    basis = kernel4_basis()
    full = np.array([basis[place[min(word, reverse_complement(word))]] for word in words])  # (256, 103)
    constraints = [np.ones(256)]
    for word in words:
        constraints.append(np.array([float(w == word) - float(w == reverse_complement(word)) for w in words]))
    for trimer in {word[:3] for word in words}:
        constraints.append(np.array([float(w[1:] == trimer) - float(w[:3] == trimer) for w in words]))

    assert full.shape == (256, 103)
    assert np.linalg.matrix_rank(np.array(constraints)) == 256 - 103
    assert np.abs(full.T @ full - np.eye(103)).max() < 1e-12
    assert np.abs(np.array(constraints) @ full).max() < 1e-12


def test_kernel4_profile_is_the_projection_of_symmetric_frequencies() -> None:
    """The kernel's 103 numbers equal frequencies, averaged with their reverse complements, times the basis."""
    rng = np.random.default_rng(5)
    seq = "".join(rng.choice(list("ACGT"), 2000))
    text = f">a\n{seq}\n".encode()

    counts = scan_one(text, "kmer:4", format=FASTA).whole[0].astype(np.float64)
    found = scan_one(text, "kernel:4", format=FASTA).whole[0]

    from isthmus.kernels.profiles import kernel4_basis

    np.testing.assert_allclose(found, counts @ kernel4_basis(), atol=2e-7)


@needs_library
def test_counts_of_sequences_in_memory() -> None:
    """Many sequences at once give the counts behind their frequencies."""
    rng = np.random.default_rng(8)
    seqs = [
        bytes(rng.choice(list(b"ACGTN"), n, p=[0.3, 0.2, 0.2, 0.29, 0.01]).astype(np.uint8)) for n in (0, 5, 150, 4001)
    ]
    ends = np.cumsum([0, *map(len, seqs)])

    counts = count_canonical(np.frombuffer(b"".join(seqs), np.uint8), ends)

    whole = scan_one(b"".join(b">x\n%s\n" % seq for seq in seqs), "kmer:4", format=FASTA).whole
    totals = counts.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal((counts / np.maximum(totals, 1)).astype(np.float32), whole)
    assert totals[:2, 0].tolist() == [0, 2 if b"N" not in seqs[1] else totals[1, 0]]
