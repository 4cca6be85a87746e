"""Where results may be written: never over raw data, a lake, or a file of another kind."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from isthmus.core.errors import InvalidInput
from isthmus.core.plan import FileInput, Input

_BEGINNINGS = {
    "html": (b"<!doctype html>", b"<!DOCTYPE html>", b"<html"),
    "parquet": (b"PAR1",),
    "npy": (b"\x93NUMPY",),
    "csv": (b'"id",', b"id,"),
}
_MARKER = "isthmus-lake.json"


def check_target(path: Path, kind: str, inputs: Iterable[Input] = ()) -> None:
    """Refuse, before any work is done, a target that cannot or must not be written.

    Args:   kind: html, csv, parquet or npy; inputs: of the product and of what it was made from.
    Raises: InvalidInput: a folder; a folder that cannot be made or written; inside a lake; one of the raw files; a file
            that is there and is not of this kind, so that it is not an older result.
    """
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder; give the path of a file, as in {path / f'result.{kind}'}")
    if path.exists() and not path.is_file():
        return  # a pipe or a device: written into
    real = Path(os.path.realpath(path))
    _refuse_unwritable(path, real)
    if any((folder / _MARKER).is_file() for folder in real.parents):
        raise InvalidInput(f"{path} lies inside a lake, which only isthmus writes; choose a path outside of it")
    if not real.exists():
        return
    if any(isinstance(one, FileInput) and _same_file(real, Path(one.path)) for one in inputs):
        raise InvalidInput(f"{path} is one of the raw files that this was made from; choose another path")
    with real.open("rb") as handle:
        head = handle.read(16)
    if head and not head.startswith(_BEGINNINGS[kind]):
        raise InvalidInput(f"{path} is there already and is no {kind} file; move it away or choose another path")


def _refuse_unwritable(path: Path, real: Path) -> None:
    folder = real.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be written: {folder} is no folder that you may write to ({error.strerror}); "
            "choose another path"
        ) from error


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
