"""Checkpoints: the little state from which a new attempt at the same plan goes on, to the same bits."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.core.files import write_then_rename
from isthmus.simulate.programs.world import World

Arrays = Mapping[str, npt.NDArray[Any]]


class Checkpoint:
    """One file, replaced by rename by rank 0, at most every `every_s` seconds; read once, at the start.

    `key` names what the state belongs to (plan, versions of code and libraries); a file with another key, or one that
    cannot be read, counts as absent: the work is then done from its beginning. Nothing is pickled.
    """

    def __init__(self, path: Path | None, key: str, every_s: float, world: World) -> None:
        self._path, self._key, self._every_s, self._world = path, key, every_s, world
        self._written = time.monotonic()
        self._found = self._load()

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays saved last by an earlier attempt, the same on every rank; empty where there are none."""
        return self._found

    def save(self, arrays: Arrays, *, now: bool = False) -> None:
        """Write the state, if it is time or `now`."""
        if self._path is None or self._world.rank or not (now or self._due()):
            return
        buffer = io.BytesIO()
        np.savez(buffer, **{"key": np.array(self._key), **arrays}, allow_pickle=False)
        write_then_rename(self._path, buffer.getvalue())
        self._written = time.monotonic()

    def _due(self) -> bool:
        return time.monotonic() - self._written >= self._every_s

    def _load(self) -> dict[str, npt.NDArray[Any]]:
        """What rank 0 finds, shared as bytes, so that all ranks go on from the same state."""
        raw = b""
        if self._world.rank == 0 and self._path is not None and self._path.is_file():
            raw = self._path.read_bytes()
            raw = raw if _parse(raw, self._key) else b""
        size = int(self._world.share(np.array([len(raw)], np.int64))[0])
        shared = np.zeros(size, np.uint8)
        if self._world.rank == 0:
            shared[:] = np.frombuffer(raw, np.uint8)
        return _parse(self._world.share(shared).tobytes(), self._key) if size else {}


def _parse(raw: bytes, key: str) -> dict[str, npt.NDArray[Any]]:
    if not raw:
        return {}
    from zipfile import BadZipFile  # opened late: a rank that has nothing to go on from does not need it

    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    except (ValueError, OSError, EOFError, KeyError, BadZipFile):
        return {}
    return arrays if str(arrays.get("key", "")) == key else {}
