"""The place of a lake: a folder with a marker file, made so that any number of processes may open it at once."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path
from urllib.parse import unquote

from isthmus.core.errors import InvalidInput, NotFound
from isthmus.core.files import disk_errors, fsync_folder, read_json, write_then_rename

FORMAT = "isthmus-lake/1"
MARKER = "isthmus-lake.json"
_HARMLESS = ("lost+found", ".DS_Store", ".snapshot")


def settle(root: Path, *, create: bool) -> None:
    """Make sure that `root` is a lake of this format, making a new one only in an empty or missing folder.

    Raises: NotFound: there is no lake and `create` is off. InvalidInput: the place is a file, holds other things, may
            not be written, or is a lake of another version. Nothing is changed then.
    """
    if "://" in str(root) or str(root).startswith(("s3:", "gs:", "abfss:")):
        raise InvalidInput(f"{root}: found an address; expected a folder; choose one on a local or shared disk")
    if unquote(str(root)) != str(root):  # the table engine decodes such names when it reads, not when it writes
        raise InvalidInput(f"{root}: found a '%' and two hexadecimal digits in the path; choose another --lake")
    marker = root / MARKER
    try:
        if not marker.is_file():
            _make(root, marker, create=create)
    except (PermissionError, OSError) as error:
        if isinstance(error, NotADirectoryError | FileExistsError):
            raise InvalidInput(f"{root}: found a file in its path; expected a folder; choose another --lake") from error
        if not isinstance(error, PermissionError) and error.strerror != "Read-only file system":
            raise
        raise InvalidInput(
            f"{root}: cannot be made or read here ({error.strerror}); choose a folder you may write to with --lake"
        ) from error
    _check(marker)


def make_folder(path: Path, *, new: bool = False) -> None:
    """Make a folder of a lake or its scratch, and those above it; with `new`, FileExistsError where it is there.

    Raises: InvalidInput where nobody may write here, naming the folder that stands in the way. WontFit: a full disk.
    """
    try:
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=not new)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        there = next((one for one in path.parents if _is_there(one)), path)
        raise InvalidInput(
            f"{path}: cannot be made, since {there} cannot be written to ({error.strerror}); choose a folder you may "
            "write to, with --lake or, for work in progress, --scratch"
        ) from error


def _is_there(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _make(root: Path, marker: Path, *, create: bool) -> None:
    if root.exists() and not root.is_dir():
        raise InvalidInput(f"{root}: found a file; expected a folder for the lake; choose another --lake")
    others = _others(root)
    if marker.is_file():  # another process was quicker
        return
    if others:
        raise InvalidInput(
            f"{root}: found a folder that is not a lake (it holds {', '.join(others[:3])}"
            f"{' and more' if len(others) > 3 else ''}, and no {MARKER}); expected a lake or an empty folder; "
            f"choose another --lake, for example {root / 'isthmus-lake'}"
        )
    if not create:
        raise NotFound(f"{root}: there is no lake here; name one with --lake, or make one with `isthmus embed`")
    root.mkdir(parents=True, exist_ok=True)
    fresh = root / f".{MARKER}.{secrets.token_hex(6)}.new"
    with disk_errors(root):
        write_then_rename(fresh, f'{{"format": "{FORMAT}"}}\n')
        try:
            os.link(fresh, marker)
        except FileExistsError:  # another process was quicker
            return
        except OSError as error:
            raise InvalidInput(
                f"{root}: this disk makes no hard links ({error.strerror}), and atomic commits need them; "
                "choose another --lake"
            ) from error
        finally:
            fresh.unlink(missing_ok=True)
        fsync_folder(root)


def _others(root: Path) -> list[str]:
    """What lies in `root`, markers in the making set aside."""
    if not root.exists():
        return []
    return sorted(path.name for path in root.iterdir() if path.name not in _HARMLESS and MARKER not in path.name)


def _check(marker: Path) -> None:
    value = read_json(marker)
    found = value.get("format") if isinstance(value, dict) else None
    if found != FORMAT:
        raise InvalidInput(
            f"{marker}: found a lake of format {found!r}; expected {FORMAT!r}; use the version of isthmus that "
            "wrote it, or choose another --lake"
        )
