"""The health of a lake beyond checksums: products that lost their log, and versions whose inputs cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isthmus.backbone.delta import ProductTable
from isthmus.backbone.lake import Lake
from isthmus.core.errors import Corrupt, InvalidInput, IsthmusError, NotFound
from isthmus.core.ref import Name, Ref

_MEND = "restore the product's whole folder from a copy, or move the folder away and make the product again"


@dataclass(frozen=True)
class Lost:
    """An input that cannot be read any more.

    Args:
        ref:   the input.
        made:  the versions that were made of it, directly, in order.
        error: Corrupt where files of it are still there; None where all of it is gone, perhaps on purpose.
    """

    ref: Ref
    made: tuple[Ref, ...]
    error: Corrupt | None


def half_there(lake: Lake) -> list[Corrupt]:
    """One error for each product folder that holds committed files and no log to read them by.

    What an interrupted first run leaves is none: its log is made before its first table or manifest.
    """
    return [
        Corrupt(f"{folder}: found tables or manifests and no _delta_log; expected the log of {name}; {_MEND}")
        for folder, name in _products(lake)
        if ProductTable(folder, name).newest() < 0 and any(_committed(folder))
    ]


def lost_inputs(lake: Lake) -> list[Lost]:
    """Inputs of any version of any product that cannot be read, sorted. A product with a damaged log is left out."""
    made: dict[Ref, list[Ref]] = {}
    for name in lake.names():
        try:
            commits = lake.history(name)
        except IsthmusError:  # verify tells of it
            continue
        for commit in reversed(commits):
            for one in commit.inputs:
                if isinstance(one, Ref):
                    made.setdefault(one, []).append(commit.ref)
    found = (_lost(lake, ref, tuple(refs)) for ref, refs in sorted(made.items()))
    return [one for one in found if one is not None]


def _lost(lake: Lake, ref: Ref, made: tuple[Ref, ...]) -> Lost | None:
    try:
        lake.read(ref)
    except NotFound:
        folder = lake.root / ref.domain / ref.product
        if not set(_committed(folder)) - _named(ProductTable(folder, ref.name)):
            return Lost(ref, made, None)
        of = ", ".join(map(str, made))
        found = f"found no commit of {ref} in _delta_log, though files are there"
        return Lost(ref, made, Corrupt(f"{folder}: {found}; expected it, since {of} was made of it; {_MEND}"))
    except Corrupt as error:
        return Lost(ref, made, error)
    return None


def _named(table: ProductTable) -> set[Path]:
    """Tables and manifests that the versions of a product name."""
    found: set[Path] = set()
    for record in table.records():
        found |= {table.folder / file.path for file in record.tables}
        found |= set() if record.manifest is None else {table.folder / record.manifest}
    return found


def _committed(folder: Path) -> Iterator[Path]:
    """What a writer makes only on its way to a commit."""
    yield from folder.glob("data/*.parquet")
    yield from folder.glob("arrays/*/manifest-*.json")


def _products(lake: Lake) -> Iterator[tuple[Path, Name]]:
    for folder in sorted(lake.root.glob("*/*/")):
        try:
            yield folder, Name(folder.parent.name, folder.name)
        except InvalidInput:  # scratch, or a folder of somebody else's
            continue
