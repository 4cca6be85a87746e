"""The libraries for different processors give the same bits."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from isthmus.kernels import native
from isthmus.kernels.batch import FASTQ
from isthmus.kernels.scan import Scanner, count_canonical

LEVELS = sorted(native._LIB.glob("isthmus_*.so"))
RUNS_HERE = [path for path in LEVELS if path.name in native._candidates()]


def text(seed: int) -> np.ndarray:
    """FASTQ of 60 reads of 1 to 6,000 letters, some of them N."""
    rng = np.random.default_rng(seed)
    lines = []
    for i, n in enumerate(rng.integers(1, 6000, 60).tolist()):
        seq = rng.choice(np.frombuffer(b"ACGTN", np.uint8), n, p=[0.3, 0.2, 0.2, 0.299, 0.001])
        qual = rng.integers(33, 127, n).astype(np.uint8)
        lines.append(b"@r%d\n%s\n+\n%s\n" % (i, seq.tobytes(), qual.tobytes()))
    return np.frombuffer(b"".join(lines), np.uint8)


@pytest.mark.skipif(len(RUNS_HERE) < 2, reason="this processor runs fewer than two of the libraries")
@pytest.mark.parametrize("features", ["kernel:4", "kmer:3", "kmer:4", "kmer:6"])
def test_same_bits_at_every_level(features: str) -> None:
    """Rows, features and halves of one text are equal, byte for byte, from every library that runs here."""
    shown, found = text(17), []

    for path in RUNS_HERE:
        scanner = Scanner(FASTQ, features)
        scanner._library = ctypes.CDLL(str(path))
        batch = scanner.scan(shown, 0, len(shown), at_end=True)
        found.append([np.ascontiguousarray(a).tobytes() for a in (batch.rows, batch.ids, batch.whole, batch.halves)])

    assert len(batch.rows) == 60
    assert all(one == found[0] for one in found)


@pytest.mark.skipif(native.library() is None, reason="no compiled kernels here")
def test_counting_reads_no_byte_beyond_the_text() -> None:
    """Sequences of every short length at the very end of a page: a read behind it would end the process."""
    import mmap

    page = mmap.PAGESIZE
    area = mmap.mmap(-1, 2 * page)
    libc = ctypes.CDLL(None, use_errno=True)
    view = np.frombuffer(area, np.uint8)
    view[:page] = np.frombuffer(b"ACGT", np.uint8).repeat(page // 4)
    assert libc.mprotect(ctypes.c_void_p(view.ctypes.data + page), ctypes.c_size_t(page), 0) == 0

    for n in (0, 1, 3, 4, 63, 64, 65, 150, 700, 703, 704, 705, 2000):
        counts = count_canonical(view[page - n : page], np.array([0, n]))
        assert counts.sum() == max(0, n - 3)

    assert libc.mprotect(ctypes.c_void_p(view.ctypes.data + page), ctypes.c_size_t(page), 3) == 0
