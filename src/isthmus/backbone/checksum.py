"""Checksums: xxh3-128 of files, and fingerprints of raw inputs remembered between runs."""

from __future__ import annotations

import hashlib
import os
import time
from contextlib import suppress
from pathlib import Path

import xxhash

from isthmus.core.errors import Conflict, NotFound, WontFit
from isthmus.core.files import write_then_rename

_BLOCK_BYTES = 4 << 20
_RACY_S = 2.0  # a file changed this recently may change again within the same tick of its time stamp


def xxh3_128_file(path: Path) -> str:
    """The xxh3-128 of a file's bytes, 32 hex digits; holds 4 MiB of it at a time."""
    digest = xxhash.xxh3_128()
    buffer = bytearray(_BLOCK_BYTES)
    view = memoryview(buffer)
    try:
        with path.open("rb", buffering=0) as handle:
            while n := handle.readinto(buffer):
                digest.update(view[:n])
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist") from None
    return digest.hexdigest()


def fingerprint(path: Path, cache_folder: Path) -> str:
    """The xxh3-128 of a raw input; remembered in `cache_folder` by absolute path, size, mtime and inode.

    A cache that cannot be written is done without.
    Raises NotFound, and Conflict where the file changed while it was read.
    """
    before = _identity(path)
    entry = cache_folder / hashlib.sha256(before.encode()).hexdigest()[:32]
    with suppress(OSError):
        text = entry.read_text()
        if len(text) == 32:
            return text
    digest = xxh3_128_file(path)
    if _identity(path) != before:
        raise Conflict(f"{path} changed while it was read; run the same command again when nothing writes to it")
    if time.time() - path.stat().st_mtime > _RACY_S:
        with suppress(OSError, WontFit):
            write_then_rename(entry, digest, durable=False)
    return digest


def _identity(path: Path) -> str:
    try:
        facts = path.stat()
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist") from None
    return f"{os.fspath(path.absolute())}\0{facts.st_size}\0{facts.st_mtime_ns}\0{facts.st_ino}"
