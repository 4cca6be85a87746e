"""Jobs: one attempt at a plan, its folder and the states it may pass through."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from isthmus.core.errors import Bug


class JobState(StrEnum):
    """Where an attempt stands."""

    PREPARED = "prepared"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


ALLOWED_MOVES: dict[JobState, frozenset[JobState]] = {
    JobState.PREPARED: frozenset({JobState.RUNNING, JobState.CANCELLED}),
    JobState.RUNNING: frozenset({JobState.DONE, JobState.FAILED, JobState.CANCELLED}),
    JobState.DONE: frozenset(),
    JobState.FAILED: frozenset(),
    JobState.CANCELLED: frozenset(),
}


@dataclass(frozen=True)
class Job:
    """One attempt at the plan `plan`; `folder` is `<scratch>/jobs/<plan>/<attempt>.<restart>`."""

    plan: str
    attempt: int
    restart: int
    folder: Path
    state: JobState = JobState.PREPARED

    def move(self, to: JobState) -> Job:
        """The same job in state `to`; a move that the table does not allow is a Bug."""
        if to not in ALLOWED_MOVES[self.state]:
            raise Bug(f"job {self.plan} attempt {self.attempt}: {self.state} may not become {to}")
        return replace(self, state=to)
