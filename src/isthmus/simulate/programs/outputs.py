"""Outputs of a job: `.npy` files laid out by rank 0 and filled by all ranks, each its own rows."""

from __future__ import annotations

import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.backbone.npy import HEADER_BYTES, npy_header
from isthmus.core.files import disk_errors, fsync_folder
from isthmus.simulate.programs.world import World

_WRITE_BYTES = 64 << 20


@dataclass(frozen=True)
class OutFile:
    """One `.npy` file of rows: `first_row` is the global number of its first row, `row_shape` () or (d,)."""

    path: Path
    first_row: int
    rows: int
    dtype: str
    row_shape: tuple[int, ...] = ()

    @property
    def row_bytes(self) -> int:
        return int(np.prod(self.row_shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    def overlap(self, first_row: int, rows: int) -> tuple[int, int]:
        """Global rows lo..hi that lie in this file and in the given range; lo == hi where none do."""
        lo = max(first_row, self.first_row)
        return lo, max(lo, min(first_row + rows, self.first_row + self.rows))


def lay_out(files: Sequence[OutFile], world: World) -> None:
    """Rank 0 makes every file with its header and full size; all ranks wait for it. A full disk raises WontFit."""
    if world.rank == 0:
        for file in files:
            with disk_errors(file.path.parent), file.path.open("wb") as handle:
                handle.write(npy_header(np.dtype(file.dtype), (file.rows, *file.row_shape)))
                handle.flush()
                _reserve(handle.fileno(), HEADER_BYTES + file.rows * file.row_bytes)
    world.total(np.zeros(1))


def write_rows(file: OutFile, values: npt.NDArray[Any], first_row: int) -> tuple[int, int, int]:
    """Write this rank's `values`, whose first row has the global number `first_row`, into their place.

    Returns: (first row in the file, rows, crc32 of their bytes); rows is 0 where none lie in this file.
    """
    lo, hi = file.overlap(first_row, len(values))
    if lo == hi:
        return 0, 0, 0
    piece = np.ascontiguousarray(values[lo - first_row : hi - first_row], dtype=file.dtype)
    raw = piece.reshape(-1).view(np.uint8).data
    offset = HEADER_BYTES + (lo - file.first_row) * file.row_bytes
    with disk_errors(file.path.parent):
        handle = os.open(file.path, os.O_WRONLY)
        try:
            _write_all(handle, raw, offset)
            os.fsync(handle)
        finally:
            os.close(handle)
    return lo - file.first_row, hi - lo, zlib.crc32(raw)


def save_array(path: Path, values: npt.NDArray[Any]) -> int:
    """Write a small array as `.npy`, flushed to disk; returns the crc32 of its data."""
    array = np.ascontiguousarray(values)
    raw = array.reshape(-1).view(np.uint8).tobytes()
    with disk_errors(path.parent), path.open("wb") as handle:
        handle.write(npy_header(array.dtype, array.shape) + raw)
        handle.flush()
        os.fsync(handle.fileno())
    fsync_folder(path.parent)
    return zlib.crc32(raw)


def gather_parts(parts: Sequence[tuple[int, int, int]], world: World) -> list[list[dict[str, int]]]:
    """For each file the parts of all ranks, in order of rows: first_row, rows, crc32."""
    everywhere = world.gather(np.array(parts, np.int64).reshape(len(parts), 3))
    return [
        [
            {"first_row": int(first), "rows": int(rows), "crc32": int(crc)}
            for first, rows, crc in everywhere[:, index]
            if rows
        ]
        for index in range(len(parts))
    ]


def _reserve(handle: int, size: int) -> None:
    os.ftruncate(handle, size)
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(handle, 0, size)


def _write_all(handle: int, raw: memoryview, offset: int) -> None:
    at = 0
    while at < len(raw):
        at += os.pwrite(handle, raw[at : at + _WRITE_BYTES], offset + at)
