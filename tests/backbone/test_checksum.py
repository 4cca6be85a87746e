"""Checksums: of the bytes, remembered only as long as the file is the same."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import xxhash

from isthmus.backbone.checksum import fingerprint, xxh3_128_file
from isthmus.core.errors import NotFound


def aged(path: Path, data: bytes, seconds: int = 1_000_000_000) -> Path:
    path.write_bytes(data)
    os.utime(path, (seconds, seconds))
    return path


@pytest.mark.parametrize("size", [0, 1, (4 << 20) - 1, 4 << 20, (4 << 20) + 1])
def test_checksum_equals_the_one_shot_digest(tmp_path: Path, size: int) -> None:
    """A file read in blocks has the digest of its bytes at once."""
    data = os.urandom(size)

    assert xxh3_128_file(aged(tmp_path / "x", data)) == xxhash.xxh3_128_hexdigest(data)


def test_fingerprint_is_remembered(tmp_path: Path) -> None:
    """A second call reads the cache and not the file; a changed file is read again."""
    path, cache = aged(tmp_path / "x", b"one"), tmp_path / "cache"
    first = fingerprint(path, cache)
    [entry] = cache.iterdir()
    entry.write_text("f" * 32)

    assert first == xxhash.xxh3_128_hexdigest(b"one")
    assert fingerprint(path, cache) == "f" * 32
    assert fingerprint(aged(path, b"two", 1_000_000_001), cache) == xxhash.xxh3_128_hexdigest(b"two")


def test_file_changed_a_moment_ago_is_not_remembered(tmp_path: Path) -> None:
    """A file whose time stamp may not show the next change gets no cache entry."""
    path, cache = tmp_path / "x", tmp_path / "cache"
    path.write_bytes(b"one")

    assert fingerprint(path, cache) == xxhash.xxh3_128_hexdigest(b"one")
    assert not cache.exists()


def test_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    """A file in the cache's place does no harm."""
    path = aged(tmp_path / "x", b"one")
    (tmp_path / "cache").write_text("in the way")

    assert fingerprint(path, tmp_path / "cache") == xxhash.xxh3_128_hexdigest(b"one")


def test_missing_file_is_not_found(tmp_path: Path) -> None:
    """Both functions raise NotFound with the path."""
    for call in (lambda: xxh3_128_file(tmp_path / "x"), lambda: fingerprint(tmp_path / "x", tmp_path)):
        with pytest.raises(NotFound, match="x does not exist"):
            call()
