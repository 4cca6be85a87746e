"""The text of a file as a window that slides over it: plain files from any offset, gzip decompressed ahead."""

from __future__ import annotations

import queue
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
from isal import igzip, isal_zlib

from isthmus.core.errors import InvalidInput, WontFit
from isthmus.core.files import human_bytes

BLOCK_BYTES = 4 << 20


class Source(Protocol):
    """Gives a file's text in order."""

    def read_into(self, view: memoryview) -> int:
        """Fill `view` from its start; fewer bytes than it holds only at the end of the text, 0 behind it."""

    def position(self) -> int:
        """Bytes of the file on disk that stand for the text given so far; for gzip an estimate."""

    def cpu_seconds(self) -> float:
        """CPU time spent in threads of its own."""


class PlainSource:
    """A file as it lies on disk, from `offset` on."""

    def __init__(self, path: Path, offset: int) -> None:
        self._file = path.open("rb", buffering=0)
        self._file.seek(offset)

    def read_into(self, view: memoryview) -> int:
        return _read_fully(self._file, view)

    def position(self) -> int:
        return self._file.tell()

    def cpu_seconds(self) -> float:
        return 0.0

    def close(self) -> None:
        self._file.close()


class GzipSource:
    """The text of a gzip file of one or many members (BGZF too); a thread decompresses ahead.

    Every member's CRC and length are checked; zero bytes behind the last are padding, anything else is refused.
    Raises InvalidInput for damage, as soon as it is reached: text before it was given already.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._raw = path.open("rb", buffering=0)
        self._unzip = igzip.IGzipFile(fileobj=self._raw, mode="rb")
        self._full: queue.Queue[Any] = queue.Queue()
        self._empty: queue.Queue[memoryview | None] = queue.Queue()
        for _ in range(2):
            self._empty.put(np.empty(BLOCK_BYTES // 2, np.uint8).data)  # not zeroed: small files touch little
        self._current: tuple[memoryview, int, int] | None = None
        self._ended = False
        self._given = self._decoded = 0
        self._cpu_seconds = 0.0
        self._thread = threading.Thread(target=self._decompress, daemon=True)
        self._thread.start()

    def _decompress(self) -> None:
        try:
            while (buffer := self._empty.get()) is not None:
                n = _read_fully(self._unzip, buffer)
                self._decoded += n
                self._cpu_seconds = time.thread_time()
                self._full.put((buffer, n))
                if n < len(buffer):
                    return
        except BaseException as error:  # noqa: BLE001 - handed to the reader, who raises it
            self._full.put(error)

    def read_into(self, view: memoryview) -> int:
        done = 0
        while done < len(view) and (piece := self._piece()) is not None:
            buffer, lo, hi = piece
            n = min(hi - lo, len(view) - done)
            view[done : done + n] = buffer[lo : lo + n]
            done += n
            self._current = (buffer, lo + n, hi)
        self._given += done
        return done

    def _piece(self) -> tuple[memoryview, int, int] | None:
        if self._current is not None and self._current[1] < self._current[2]:
            return self._current
        if self._current is not None:
            self._empty.put(self._current[0])
            self._current = None
        if self._ended:
            return None
        got = self._full.get()
        if isinstance(got, BaseException):
            raise gzip_error(self._path, got) from got
        buffer, n = got
        self._ended = n < len(buffer)
        self._current = (buffer, 0, n)
        return self._current if n else None

    def position(self) -> int:
        return self._raw.tell() * self._given // max(1, self._decoded)

    def cpu_seconds(self) -> float:
        return self._cpu_seconds

    def close(self) -> None:
        self._empty.put(None)
        self._thread.join()
        with suppress(Exception):
            self._unzip.close()
        self._raw.close()


GZIP_ERRORS: tuple[type[BaseException], ...] = (
    EOFError,
    OSError,
    zlib.error,
    cast("type[BaseException]", isal_zlib.IsalError),
    ValueError,
)


def gzip_error(path: Path, error: BaseException) -> BaseException:
    """What to tell about `error` of a gzip file."""
    if not isinstance(error, GZIP_ERRORS) or (isinstance(error, OSError) and error.errno is not None):
        return error
    if isinstance(error, EOFError):
        found, todo = "the compressed stream ends early", "the file was cut; fetch or copy it again"
    elif "Not a gzipped file" in str(error):
        found, todo = "other bytes behind the last gzip member", "remove what follows, or make the file again"
    else:
        found, todo = f"damaged gzip data ({error})", "fetch or copy the file again (gzip -t shows the same)"
    return InvalidInput(f"{path}: found {found}; expected a whole gzip file; {todo}")


@contextmanager
def open_source(path: Path, compression: str, *, offset: int = 0) -> Iterator[Source]:
    """The text of `path`: `plain` from byte `offset` on, `gzip` (and `bgzf`) always from its beginning."""
    source = PlainSource(path, offset) if compression == "plain" else GzipSource(path)
    with closing(source):
        yield source


def _read_fully(file: Any, view: memoryview) -> int:
    done = 0
    while done < len(view) and (n := file.readinto(view[done:])):
        done += n
    return done


class Window:
    """A stretch of text in memory: buffer[lo:n] is not yet read; `base` is the text offset of buffer[0].

    It slides in place. It grows, by doubling, only where one record is longer than it, up to `limit_bytes`.
    """

    def __init__(self, source: Source, *, base: int, limit_bytes: int, name: str) -> None:
        self._source, self._limit, self._name = source, limit_bytes, name
        self.buffer: npt.NDArray[np.uint8] = np.empty(min(BLOCK_BYTES, limit_bytes), np.uint8)
        self.base, self.lo, self.n, self.at_end = base, 0, 0, False

    def cpu_seconds(self) -> float:
        """CPU time of this thread and of those that feed the window."""
        return time.thread_time() + self._source.cpu_seconds()

    def more(self) -> None:
        """Drop what was read, move the rest to the front, fill up from the source."""
        if self.lo == 0 and self.n == len(self.buffer):
            self._grow()
        rest = self.n - self.lo
        if self.lo:
            self.buffer[:rest] = (
                self.buffer[self.lo : self.n].copy() if rest > self.lo else self.buffer[self.lo : self.n]
            )
        self.base, self.lo, self.n = self.base + self.lo, 0, rest
        room = self.buffer.data[rest:]
        got = self._source.read_into(room)
        self.n += got
        self.at_end = got < len(room)

    def skip_to(self, offset: int) -> None:
        """Move on to text offset `offset`, reading over what lies before it."""
        while self.base + self.n < offset and not self.at_end:
            self.lo = self.n
            self.more()
        self.lo = min(self.n, offset - self.base)

    def _grow(self) -> None:
        size = min(2 * len(self.buffer), self._limit)
        if size <= len(self.buffer):
            raise WontFit(
                f"{self._name}: the record at byte {self.base:,} of the text is longer than "
                f"{human_bytes(len(self.buffer))}, all that one worker may hold of it; give more with --memory, "
                "or use fewer --threads"
            )
        bigger = np.empty(size, np.uint8)
        bigger[: self.n] = self.buffer[: self.n]
        self.buffer = bigger
