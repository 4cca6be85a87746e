"""One `.npy` file: written by streaming, visible only when whole, and opened only when it is what it should be."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from isthmus.core.errors import Corrupt
from isthmus.core.files import disk_errors, fsync_folder

HEADER_BYTES = 128  # of every .npy file that is written here: room for any shape, and the data start aligned
_COPY_BYTES = 8 << 20
_NO_FAST_COPY = (errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM, errno.EBADF)

Array = npt.NDArray[Any]


class NpyFile:
    """A `.npy` file that grows: a placeholder header, the data, and at the end the true header and its name."""

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.dtype = path, dtype
        self._fresh = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        with disk_errors(path.parent):
            self.handle: BinaryIO = self._fresh.open("x+b")
            self.handle.write(b"\0" * HEADER_BYTES)

    def write(self, rows: Array) -> None:
        with disk_errors(self.path.parent):
            self.handle.write(as_bytes(rows))

    def finish(self, shape: tuple[int, ...]) -> None:
        with disk_errors(self.path.parent):
            self.handle.seek(0)
            self.handle.write(npy_header(self.dtype, shape))
            self.handle.flush()
            os.fsync(self.handle.fileno())
            self.handle.close()
            self._fresh.replace(self.path)
            fsync_folder(self.path.parent)

    def discard(self) -> None:
        with suppress(OSError):  # a full disk refuses the last buffer a second time
            self.handle.close()
        self._fresh.unlink(missing_ok=True)


def open_shard(path: Path, rows: int, *, ndim: int = 2) -> Array:
    """Memory map of one shard, read-only; Corrupt where it is missing, cut, or of another shape than promised."""
    try:
        with path.open("rb") as handle:
            dtype, shape = _read_header(handle)
            offset, size = handle.tell(), os.fstat(handle.fileno()).st_size
    except FileNotFoundError:
        raise Corrupt(f"{path}: found no file; expected a shard of {rows:,} rows; restore it from a copy") from None
    except ValueError as error:
        raise corrupt(path, f"no .npy header ({error})", f"a .npy file of {rows:,} rows") from error
    if len(shape) != ndim or shape[-2] != rows or (ndim == 3 and shape[0] != 2):
        raise corrupt(path, f"shape {shape}", f"{rows:,} rows in {ndim} dimensions")
    want = offset + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if size != want:
        raise corrupt(path, f"{size:,} bytes", f"{want:,} bytes")
    if 0 in shape:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype=dtype, mode="r", offset=offset, shape=shape)


def npy_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """A .npy header of format 1.0, padded to HEADER_BYTES (numpy's NEP 1)."""
    text = f"{{'descr': '{dtype.str}', 'fortran_order': False, 'shape': {shape}, }}"
    room = HEADER_BYTES - 10
    return b"\x93NUMPY\x01\x00" + room.to_bytes(2, "little") + text.ljust(room - 1).encode("latin1") + b"\n"


def _read_header(handle: BinaryIO) -> tuple[np.dtype[Any], tuple[int, ...]]:
    version = np.lib.format.read_magic(handle)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran_order, dtype = read(handle)
    if fortran_order or dtype.hasobject:
        raise ValueError("Fortran order or Python objects")
    return dtype, shape


def as_bytes(rows: Array) -> memoryview:
    """The bytes of a contiguous array, not copied."""
    return rows.reshape(-1).view(np.uint8).data


def unnamed_file(beside: Path) -> BinaryIO:
    """A file on the same disk with no name: it is gone with its last handle, even when the process is killed."""
    path = beside.with_name(f".{beside.name}.{secrets.token_hex(6)}.tmp")
    handle = path.open("x+b")
    path.unlink()
    return handle


def copy_behind(source: BinaryIO, target: BinaryIO) -> None:
    """Append all of `source` to `target`; both flushed. Within the kernel where it can."""
    left, offset = os.fstat(source.fileno()).st_size, 0
    end = os.fstat(target.fileno()).st_size
    while left and hasattr(os, "copy_file_range"):
        try:
            n = os.copy_file_range(source.fileno(), target.fileno(), left, offset, end + offset)
        except OSError as error:
            if error.errno not in _NO_FAST_COPY:
                raise
            break
        if n == 0:
            break
        left, offset = left - n, offset + n
    source.seek(offset)
    target.seek(end + offset)
    while block := source.read(_COPY_BYTES):
        target.write(block)


def corrupt(path: Path, found: str, expected: str) -> Corrupt:
    return Corrupt(f"{path}: found {found}; expected {expected}; restore it from a copy or make the product again")
