"""Files: writing so that a reader sees all or nothing, and what a disk has left."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from isthmus.core.errors import Corrupt, NotFound, WontFit


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full disk or quota under `path` into WontFit that says what is free."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise WontFit(
            f"{path}: no space left while writing ({human_bytes(free_bytes(path))} free); nothing was committed: "
            "free some space or choose another lake with --lake, then run the same command again"
        ) from error


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """A file open for writing that becomes `path`, by rename, only when the block ends well.

    With `durable` the file and its folder are flushed to disk before and after the rename. A link is followed, and what
    is no regular file (a pipe, a device) is written into, never replaced.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as stream:
            yield stream
        return
    real = Path(os.path.realpath(path))
    real.parent.mkdir(parents=True, exist_ok=True)
    fresh = real.with_name(f".{real.name[:200]}.{secrets.token_hex(6)}.tmp")
    with disk_errors(real.parent):
        try:
            with fresh.open("xb") as handle:
                yield handle
                handle.flush()
                if durable:
                    os.fsync(handle.fileno())
            fresh.replace(real)
            if durable:
                fsync_folder(real.parent)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise


def write_then_rename(path: Path, data: bytes | str, *, durable: bool = True) -> None:
    """Write `data` to `path` so that a reader sees the old content or the new, never a part."""
    with replacing(path, durable=durable) as handle:
        handle.write(data.encode() if isinstance(data, str) else data)


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """Write `value` as JSON, by rename; NaN is refused."""
    write_then_rename(path, json.dumps(value, indent=1, allow_nan=False) + "\n", durable=durable)


def read_json(path: Path) -> Any:
    """Read JSON written by `write_json`. Raises NotFound, or Corrupt where it cannot be parsed."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist") from None
    except ValueError as error:
        raise Corrupt(f"{path} is not valid JSON ({error}); it was not written by isthmus or was damaged") from error


def fsync_folder(path: Path) -> None:
    """Flush a folder's entries to disk, so that a rename in it survives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def free_bytes(path: Path) -> int:
    """Bytes free for this user on the file system of `path` or of its nearest existing parent."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free


def human_bytes(n: float) -> str:
    """`n` bytes with a binary unit: 1536 -> '1.5 KiB'."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(n) < 1024:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1024
    return f"{n:.1f} TiB"
