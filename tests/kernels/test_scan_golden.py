"""The bytes that each embedding gives for one fixed text, pinned beside the version that names them.

If this fails because the arithmetic changed on purpose: raise the embedding's version in `kernels.profiles.VERSIONS`,
and pin the new bytes beside it. The version is part of a plan's id: an old lake then does not answer for new bytes, and
a product that was begun before the change is not finished with parts from after it.
"""

from __future__ import annotations

import numpy as np
import pytest
import xxhash

from isthmus.core.plan import FileInput
from isthmus.core.ref import Name
from isthmus.kernels.batch import FASTQ
from isthmus.kernels.native import library
from isthmus.kernels.profiles import VERSIONS, profiles
from isthmus.kernels.scan import Scanner
from isthmus.prepare.embedding import make_plan

IMPLEMENTATIONS = ["plain"] if library() is None else ["compiled", "plain"]
LENGTHS = [0, 1, 3, 7, 64, 150, 151, 250, 700, 704, 1000, 5000, 20_011]
GOLDEN = {
    "kernel:4": (2, "0a5b1ec6eac381e74789956333d37489"),
    "kmer:3": (1, "36efed6d432ea7f8525fe6bfdbdabc4e"),
    "kmer:4": (1, "d97bc84f264d3896ad12237c40ae89f4"),
    "kmer:5": (1, "38f5072b3c10cdccbb9e9c574c242687"),
    "kmer:6": (1, "949fc246cfbe007f4eef2dbfd337e090"),
}


def text() -> bytes:
    """FASTQ from the integers of a linear congruence (Knuth's MMIX constants): no library has a say in it."""
    state, lines = 20_250_917, []

    def draw(n: int) -> int:
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (state >> 33) % n

    for i, length in enumerate(LENGTHS):
        letters = bytes(b"AACCGGTTACGTacgtGCGCGCGN"[draw(16 + 8 * (i % 2))] for _ in range(length))
        qualities = bytes(33 + draw(60) for _ in range(length))
        lines += [b"@read_%d" % i, letters, b"+", qualities]
    return b"\n".join(lines) + b"\n"


def test_the_text_is_what_it_was() -> None:
    """What follows pins what is computed of it, so it is pinned itself."""
    assert xxhash.xxh3_128_hexdigest(text()) == "173e73838f9350d80fcbb210461fdb21"


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
@pytest.mark.parametrize("features", sorted(GOLDEN))
def test_bytes_belong_to_the_version(features: str, implementation: str) -> None:
    """Rows, wholes and halves are, to the last bit, what this version of the embedding stands for."""
    version, expected = GOLDEN[features]
    shown = np.frombuffer(text(), np.uint8)
    scanner = Scanner(FASTQ, features)
    if implementation == "plain":
        scanner._library = None

    batch = scanner.scan(shown, 0, len(shown), at_end=True)

    assert len(batch.rows) == len(LENGTHS)
    assert profiles(features).version == version
    found = b"".join(array.tobytes() for array in (batch.rows, batch.ids, batch.whole, batch.halves))
    assert xxhash.xxh3_128_hexdigest(found) == expected


def test_version_is_part_of_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of the same embedding is another plan: what was made with the old one does not answer for it."""
    source = FileInput("a.fq", "/a.fq", 10, "0" * 32, "a")

    def plan_id() -> str:
        profiles.cache_clear()
        return make_plan([source], into=Name.parse("gut.reads")).id

    old = plan_id()
    with monkeypatch.context() as changed:
        changed.setitem(VERSIONS, "kernel:4", VERSIONS["kernel:4"] + 1)
        new = plan_id()

    assert new != old
    assert plan_id() == old
