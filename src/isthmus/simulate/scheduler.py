"""Schedulers: how a prepared job folder comes to run, here or on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from isthmus.core.job import Job, JobState


@dataclass(frozen=True)
class Launch:
    """What the script of a job says: `launcher` starts `ranks` copies of `program` (a command line)."""

    launcher: tuple[str, ...]
    program: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = field(default=())


@dataclass(frozen=True)
class Observed:
    """What a scheduler knows of a job now. `state` is None where it does not know: that never means failed."""

    state: JobState | None
    code: int | None = None


class Scheduler(Protocol):
    """Runs job folders that hold `request.json` and `script.sh`.

    `submit` starts the job once and returns at once, the job moved to RUNNING; it raises NotInstalled or Unavailable
    where it cannot, and then nothing runs. `poll` may be called at any time and never raises for a job's own failure.
    `cancel` is idempotent and returns when nothing of the job runs any more; it does nothing to a job that has ended.
    """

    def submit(self, job: Job, program: Sequence[str], *, ranks: int) -> Job: ...

    def poll(self, job: Job) -> Observed: ...

    def cancel(self, job: Job) -> None: ...


def log_tail(path: Path, *, lines: int = 12) -> str:
    """The last lines of a log, '' where there is none."""
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
