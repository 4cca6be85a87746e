"""Check-up: settings with their origins, the machine, the compiled kernels, a real MPI start, every stored byte."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus import assembly
from isthmus.core.errors import IsthmusError, NotInstalled
from isthmus.core.files import free_bytes, human_bytes
from isthmus.core.settings import Settings
from isthmus.core.version import VERSION
from isthmus.kernels import native

if TYPE_CHECKING:
    from isthmus.backbone.lake import Lake

_LIBRARIES = ("numpy", "pyarrow", "deltalake", "mpi4py", "mpich", "isal", "scikit-learn")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `error` says what to do where it is not `ok`."""

    what: str
    found: str
    origin: str = ""
    ok: bool = True
    error: IsthmusError | None = field(default=None, compare=False)


def examine(settings: Settings) -> list[Finding]:
    """Look at everything; never raises for a fault that it finds."""
    findings = [Finding(one.name, one.value, one.origin) for one in settings.origins]
    findings.append(Finding("isthmus", VERSION, f"Python {platform.python_version()}"))
    findings += [Finding(name, metadata.version(name), "installed package") for name in _LIBRARIES]
    findings.append(_kernels())
    findings.append(_guarded("MPI", assembly.check_mpi))
    findings.append(Finding("free disk", human_bytes(free_bytes(Path(settings.lake))), settings.lake))
    return [*findings, *examine_lake(settings)]


def examine_lake(settings: Settings) -> list[Finding]:
    """Look at the lake alone: every stored byte, every log, and whether what products were made of can be read."""
    return list(_lake(settings))


def _kernels() -> Finding:
    if native.library() is not None:
        return Finding("kernels", native.describe(), "compiled at installation")
    error = NotInstalled("the compiled kernels are missing, so phase 1 is slow: pip install --force-reinstall isthmus")
    return Finding("kernels", native.describe(), "fallback", ok=False, error=error)


def _guarded(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, look())
    except IsthmusError as error:
        return Finding(what, str(error), ok=False, error=error)


def _lake(settings: Settings) -> Iterator[Finding]:
    if not (Path(settings.lake) / "isthmus-lake.json").exists():
        yield Finding("lake", "none yet; the first run makes it", settings.lake)
        return
    try:
        lake = assembly.open_lake(settings.lake, scratch=settings.scratch, create=False)
        names = lake.names()
    except IsthmusError as error:
        yield Finding("lake", str(error), settings.lake, ok=False, error=error)
        return
    yield Finding("lake", f"{len(names)} products", settings.lake)
    for name in names:
        ref = lake.newest(name)

        def verify(ref: object = ref) -> str:
            lake.verify(ref)  # type: ignore[arg-type]
            return f"{ref}: every checksum agrees"

        yield _guarded(str(name), verify)
    yield from _health(lake)


def _health(lake: Lake) -> Iterator[Finding]:
    from isthmus.backbone import health

    for error in health.half_there(lake):
        yield Finding("lake", str(error), ok=False, error=error)
    try:
        lost = health.lost_inputs(lake)
    except IsthmusError as found:
        yield Finding("lineage", str(found), ok=False, error=found)
        return
    for one in lost:
        of = ", ".join(map(str, one.made))
        gone = f"gone, so {of} cannot be made again from it, nor be checked against it"
        yield Finding(
            str(one.ref), gone if one.error is None else str(one.error), ok=one.error is None, error=one.error
        )
