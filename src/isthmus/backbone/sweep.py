"""Sweeping: what killed or failed writers left behind, found by age and reachability."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from isthmus.backbone.delta import ProductTable
from isthmus.backbone.lake import Lake
from isthmus.backbone.record import Record
from isthmus.core.errors import InvalidInput
from isthmus.core.ref import Name

OLD_S = 7 * 24 * 3600.0


def orphans(lake: Lake, *, older_than_s: float = OLD_S, unfinished: Collection[str] = ()) -> list[Path]:
    """Files and folders under the lake that no version of any product needs, sorted; nothing is changed.

    These are Parquet files and manifests of lost attempts, half-made tables, temporary files, and shard folders of
    plans without a commit. Each is older than `older_than_s`, as is everything in it: no writer at work loses anything.

    Args:   unfinished: ids of plans that are to be gone on with; their shard folders stay.
    Raises: Corrupt where a product has a version that isthmus did not commit: what it needs is not known.
    """
    before = time.time() - older_than_s
    found = [path for folder in _products(lake.root) for path in _loose(folder, unfinished)]
    return sorted(path for path in found if _newest_change(path) < before)


def sweep(paths: Iterable[Path]) -> int:
    """Delete what `orphans` found; returns the bytes freed."""
    freed = 0
    for path in paths:
        freed += sum(one.stat().st_size for one in _inside(path) if one.is_file())
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return freed


def _products(root: Path) -> Iterator[tuple[Path, Name]]:
    for folder in sorted(root.glob("*/*/")):
        if folder.parent.name.startswith(("_", ".")) or not any(
            (folder / x).is_dir() for x in ("_delta_log", "arrays")
        ):
            continue
        with suppress(InvalidInput):
            yield folder, Name(folder.parent.name, folder.name)


def _loose(product: tuple[Path, Name], unfinished: Collection[str]) -> Iterator[Path]:
    folder, name = product
    # the folder is listed before the log is read: what is committed in between is in the log
    listed = [path for part in ("data/*", "arrays/*", "arrays/*/*", ".new-*") for path in folder.glob(part)]
    records = list(ProductTable(folder, name).records())
    needed, plans = _needed(folder, records), {record.commit.plan for record in records} | set(unfinished)
    for path in listed:
        where = path.relative_to(folder).parts
        if where[0] == "data" or where[0].startswith(".new-"):
            loose = path not in needed
        elif len(where) == 2:
            loose = path.is_dir() and path.name not in plans
        else:  # in a shard folder: only what is known to be an attempt's
            attempt = path.name.startswith("manifest-") or path.name.endswith(".tmp")
            loose = attempt and where[1] in plans and path not in needed
        if loose:
            yield path


def _needed(folder: Path, records: Iterable[Record]) -> set[Path]:
    needed: set[Path] = set()
    for record in records:
        needed |= {folder / file.path for file in record.tables}
        if record.manifest is not None:
            needed.add(folder / record.manifest)
    return needed


def _inside(path: Path) -> list[Path]:
    return [path, *path.rglob("*")] if path.is_dir() else [path]


def _newest_change(path: Path) -> float:
    """Time of the newest change to a path or anything in it; now, where it goes while we look."""
    try:
        return max(one.stat().st_mtime for one in _inside(path))
    except FileNotFoundError:
        return time.time()
