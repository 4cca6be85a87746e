"""Settings in, working parts out: the one file that knows every room, and opens the heavy ones by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from isthmus.core.errors import InvalidInput
from isthmus.core.strict import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from isthmus.backbone.lake import Lake
    from isthmus.core.ref import Ref
    from isthmus.simulate.scheduler import Scheduler

SCHEDULERS = ("local",)


class ReportWriter(Protocol):
    """Writes the page of one product of clusters; see `isthmus.report.page.write_report`."""

    def __call__(
        self,
        lake: Lake,
        clusters: Ref,
        *,
        to: Path,
        truth: Path | None = None,
        command: str = "",
        seconds: Mapping[str, float] = ...,
    ) -> dict[str, Any]: ...


def open_lake(uri: str | Path, *, scratch: Path | None = None, create: bool = True) -> Lake:
    """The lake at `uri`, a folder; made where there is none and `create` is true."""
    from isthmus.backbone.lake import Lake

    if "://" in str(uri):
        raise InvalidInput(
            f"lake {str(uri)!r}: this version keeps lakes in folders; give a path, as in --lake ./isthmus-lake"
        )
    return Lake.open(Path(uri), scratch=scratch, create=create)


def open_scheduler(name: str) -> Scheduler:
    """The scheduler called `name`."""
    if name not in SCHEDULERS:
        raise InvalidInput(f"scheduler {name!r} is not known; {nearest(name, SCHEDULERS)}")
    from isthmus.simulate.local import LocalScheduler

    return LocalScheduler()


def open_report_writer() -> ReportWriter:
    """The report's room; opened late, since it imports scikit-learn."""
    from isthmus.report.page import write_report

    return write_report


def check_mpi() -> str:
    """Start two real ranks and say which MPI they found. Raises NotInstalled or JobFailed."""
    from isthmus.simulate.local import check_mpi as check

    return check()
