"""Arrays as lists of `.npy` shards: manifests, writers, rows by memory map; numpy and standard library only."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from isthmus.backbone.npy import Array, NpyFile, as_bytes, copy_behind, corrupt, open_shard, unnamed_file
from isthmus.core.errors import Bug, Corrupt, InvalidInput
from isthmus.core.files import disk_errors, read_json, write_json

FORMAT = "isthmus-array/1"


@dataclass(frozen=True)
class Shard:
    """One `.npy` file: `path` relative to the manifest's folder, its rows, and the xxh3-128 of its bytes in hex."""

    path: str
    rows: int
    xxh3_128: str


@dataclass(frozen=True)
class Manifest:
    """What an array consists of, in order of rows.

    Args:
        dtype:    of all shards, little endian, e.g. `<f4`.
        dim:      D, columns of each row.
        rows:     N, the sum over `shards`.
        shards:   files of shape (n, D), C order; empty ones (n = 0) are legal.
        halves:   files of shape (2, n, D), one for each shard with the same n; or none at all.
        embedder: what made the rows: name, parameters; JSON.
    """

    dtype: str
    dim: int
    rows: int
    shards: tuple[Shard, ...]
    halves: tuple[Shard, ...] = ()
    embedder: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.rows != sum(shard.rows for shard in self.shards):
            raise Bug(f"manifest of {self.rows:,} rows has shards of {sum(s.rows for s in self.shards):,} rows")
        if self.halves and [s.rows for s in self.halves] != [s.rows for s in self.shards]:
            raise Bug("manifest: halves and shards differ in number or in rows")


def write_manifest(folder: Path, manifest: Manifest, *, file_name: str = "manifest.json") -> Path:
    """Write `manifest` into `folder`, by rename and flushed to disk; returns its path."""
    path = folder / file_name
    write_json(path, {"format": FORMAT, **asdict(manifest), "embedder": dict(manifest.embedder)})
    return path


def read_manifest(path: Path) -> Manifest:
    """Read a manifest. Raises NotFound, Corrupt, or InvalidInput for one of another format."""
    value = read_json(path)
    found = value.get("format") if isinstance(value, dict) else None
    if found != FORMAT:
        raise InvalidInput(
            f"{path}: found format {found!r}; expected {FORMAT!r}; read it with the version of isthmus that wrote it"
        )
    try:
        return Manifest(
            dtype=value["dtype"],
            dim=value["dim"],
            rows=value["rows"],
            shards=tuple(Shard(**shard) for shard in value["shards"]),
            halves=tuple(Shard(**shard) for shard in value["halves"]),
            embedder=value["embedder"],
        )
    except (KeyError, TypeError, Bug) as error:
        raise Corrupt(f"{path}: the manifest does not hold together ({error}); restore it from a copy") from error


class _Writer(ABC):
    """What both writers share: open until `close`, gone after `discard`, and a context that picks one of them."""

    def __init__(self, path: Path, dim: int, *, dtype: str = "<f4") -> None:
        self.dim, self.rows = dim, 0
        self._dtype = np.dtype(dtype)
        self._file = NpyFile(Path(path), self._dtype)

    @abstractmethod
    def close(self) -> None:
        """Write the header, flush, rename."""

    def discard(self) -> None:
        """Give up: nothing remains at `path`."""
        self._file.discard()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.discard()
            return
        try:
            self.close()
        except BaseException:
            self.discard()
            raise

    def _checked(self, rows: npt.ArrayLike, ndim: int) -> Array:
        block = np.asarray(rows)
        if block.ndim != ndim or block.shape[-1] != self.dim or (ndim == 3 and block.shape[0] != 2):
            want = f"(n, {self.dim})" if ndim == 2 else f"(2, n, {self.dim})"
            raise Bug(f"{self._file.path}: rows of shape {block.shape} appended; expected {want}")
        return np.ascontiguousarray(block.astype(self._dtype, casting="same_kind", copy=False))


class RowWriter(_Writer):
    """Streams rows into one `.npy` of shape (N, D), C order, little endian, constant memory.

    A context manager: the file appears at `path` by rename, flushed to disk, when the block ends well, and not at all
    otherwise. A full disk raises WontFit. `rows` counts what was appended.
    """

    def append(self, rows: npt.ArrayLike) -> None:
        """Add a block of shape (n, D); n may be 0."""
        block = self._checked(rows, 2)
        self._file.write(block)
        self.rows += len(block)

    def close(self) -> None:
        """Write the header, flush, rename. Called by the context."""
        self._file.finish((self.rows, self.dim))


class HalvesWriter(_Writer):
    """Streams halves into one `.npy` of shape (2, N, D); as RowWriter.

    The second halves wait in an unnamed file beside it, and are copied behind the first at the end.
    """

    def __init__(self, path: Path, dim: int, *, dtype: str = "<f4") -> None:
        super().__init__(path, dim, dtype=dtype)
        with disk_errors(self._file.path.parent):
            self._second = unnamed_file(self._file.path)

    def append(self, halves: npt.ArrayLike) -> None:
        """Add a block of shape (2, n, D); n may be 0."""
        block = self._checked(halves, 3)
        if not block.size:
            return
        self._file.write(block[0])
        with disk_errors(self._file.path.parent):
            self._second.write(as_bytes(block[1]))
        self.rows += block.shape[1]

    def close(self) -> None:
        """Join the halves, write the header, flush, rename. Called by the context."""
        with disk_errors(self._file.path.parent):
            self._second.flush()
            self._file.handle.flush()
            copy_behind(self._second, self._file.handle)
            self._second.close()
        self._file.finish((2, self.rows, self.dim))

    def discard(self) -> None:
        """Give up: nothing remains at `path`."""
        with suppress(OSError):
            self._second.close()
        super().discard()


def open_rows(shards: Sequence[tuple[Path, int]], first_row: int, rows: int) -> Array:
    """Rows `first_row` to `first_row + rows` of shards given as (path, rows of the file); shape (rows, D), read-only.

    Opens only the shards that it touches. A memory map where the rows lie in one shard, one copy where they cross a
    border. Raises Corrupt where a file is not what its entry says, InvalidInput where the rows are not there.
    """
    return _gather(shards, first_row, rows, 2)


def open_halves(shards: Sequence[tuple[Path, int]], first_row: int, rows: int) -> Array:
    """As `open_rows`, of files of shape (2, n, D): shape (2, rows, D)."""
    return _gather(shards, first_row, rows, 3)


class ArrayView:
    """The rows of an array, on demand: shape (N, D); no bytes are read before they are asked for.

    `x[lo:hi]` is a memory map within a shard and one copy across a border; `x[i]` one row; `x[indices]` a copy of the
    rows at an integer array; `np.asarray(x)` all of it.
    """

    _NDIM = 2

    def __init__(self, shards: Sequence[tuple[Path, int]], dim: int, *, dtype: str = "<f4") -> None:
        self.shards = tuple((Path(path), rows) for path, rows in shards)
        self.dtype = np.dtype(dtype)
        self._dim = dim
        self._ends = [0, *accumulate(rows for _, rows in self.shards)]
        self._open: dict[int, Array] = {}

    @property
    def n_rows(self) -> int:
        return self._ends[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.n_rows, self._dim)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Array:
        if isinstance(key, slice):
            lo, hi, step = key.indices(self.n_rows)
            return self.between(lo, hi) if step == 1 else self.take(np.arange(lo, hi, step))
        if isinstance(key, tuple):
            return self[key[0]][(slice(None), *key[1:])]
        index = np.asarray(key)
        if index.dtype == bool:
            index = np.flatnonzero(index)
        return self.take(index) if index.ndim else self.take(index[None])[0]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> Array:
        whole: Array = self.between(0, self.n_rows)
        return np.array(whole, dtype=dtype) if copy else np.asarray(whole, dtype=dtype)

    def between(self, lo: int, hi: int) -> Array:
        """Rows `lo` to `hi`, hi not included; (hi - lo, D)."""
        pieces = [self._shard(i)[..., a:b, :] for i, a, b in _overlaps(self._ends, lo, max(lo, hi))]
        if not pieces:
            return np.zeros((*self.shape[:-2], 0, self._dim), self.dtype)
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=-2)

    def take(self, indices: npt.ArrayLike) -> Array:
        """A copy of the rows at `indices` (negative ones count from the end), in their order; (n, D)."""
        index = np.asarray(indices, dtype=np.int64)
        index = np.where(index < 0, index + self.n_rows, index)
        if index.size and (index.min() < 0 or index.max() >= self.n_rows):
            raise IndexError(f"rows {index.min()} to {index.max()} of an array of {self.n_rows:,} rows")
        out = np.empty((*self.shape[:-2], len(index), self._dim), self.dtype)
        shard_of = np.searchsorted(np.asarray(self._ends), index, side="right") - 1
        for i in np.unique(shard_of):
            here = shard_of == i
            out[..., here, :] = self._shard(int(i))[..., index[here] - self._ends[i], :]
        return out

    def check(self) -> None:
        """Open every shard; Corrupt for the first whose header, width, type or size is not as promised."""
        for i in range(len(self.shards)):
            self._shard(i)

    def _shard(self, i: int) -> Array:
        if i not in self._open:
            shard = open_shard(*self.shards[i], ndim=self._NDIM)
            if shard.shape[-1] != self._dim or shard.dtype != self.dtype:
                found = f"{shard.shape[-1]} columns of {shard.dtype.str}"
                raise corrupt(self.shards[i][0], found, f"{self._dim} columns of {self.dtype.str}")
            self._open[i] = shard
        return self._open[i]


class HalvesView(ArrayView):
    """The halves of an array, on demand: shape (2, N, D).

    `x[:, lo:hi]` is (2, hi - lo, D) and `x[0, lo:hi]` the first halves; `between` and `take` count rows of N.
    """

    _NDIM = 3

    @property
    def shape(self) -> tuple[int, ...]:
        return (2, self.n_rows, self._dim)

    def __getitem__(self, key: Any) -> Array:
        half, rows = key if isinstance(key, tuple) else (key, slice(None))
        both: Array = super().__getitem__(rows if isinstance(rows, slice) else np.atleast_1d(rows))
        return both[half] if np.ndim(rows) or isinstance(rows, slice) else both[half][..., 0, :]


def _gather(shards: Sequence[tuple[Path, int]], first_row: int, rows: int, ndim: int) -> Array:
    ends = [0, *accumulate(n for _, n in shards)]
    if first_row < 0 or rows < 0 or first_row + rows > ends[-1]:
        raise InvalidInput(f"rows {first_row:,} to {first_row + rows:,} of an array of {ends[-1]:,} rows")
    pieces = [
        open_shard(*shards[i], ndim=ndim)[..., a:b, :] for i, a, b in _overlaps(ends, first_row, first_row + rows)
    ]
    if not pieces:
        return open_shard(*shards[0], ndim=ndim)[..., :0, :] if shards else np.zeros((2, 0, 0)[3 - ndim :], "<f4")
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=-2)


def _overlaps(ends: Sequence[int], lo: int, hi: int) -> Iterator[tuple[int, int, int]]:
    """(shard, first, last) within each shard that rows lo..hi touch; `ends` begins with 0."""
    i = max(0, bisect_right(ends, lo) - 1)
    while i + 1 < len(ends) and ends[i] < hi:
        a, b = max(lo, ends[i]) - ends[i], min(hi, ends[i + 1]) - ends[i]
        if a < b:
            yield i, a, b
        i += 1
