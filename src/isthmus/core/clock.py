"""Time: the wall clock in UTC, and stopwatches for the report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime


def now_utc() -> str:
    """The time now, ISO 8601 in UTC with milliseconds: `2026-11-24T10:00:00.000+00:00`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Stopwatch:
    """Seconds spent by stage; `seconds` is a dict from stage to wall seconds, in order of first use."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
