"""How the command line speaks: tables and results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from isthmus.core.files import human_bytes


def say(text: str) -> None:
    """One line for a person, on standard error."""
    print(text, file=sys.stderr, flush=True)


def give(text: str) -> None:
    """One line of result, on standard output."""
    print(text, flush=True)


def give_json(value: Any) -> None:
    """One JSON object, on standard output."""
    print(json.dumps(value, indent=1, default=str, allow_nan=False), flush=True)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Columns under a header; numbers to the right, words to the left."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(line[i]) for line in [list(header), *cells]) for i in range(len(header))]
    right = [
        bool(rows) and all(isinstance(row[i], int | float) or _numeric(str(row[i])) for row in rows)
        for i in range(len(header))
    ]
    lines = [list(header), ["-" * width for width in widths], *cells]
    return "\n".join(
        "  ".join(
            cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def _numeric(text: str) -> bool:
    return bool(text) and text[0] in "0123456789-–" and not text[:4].endswith("-")


class Terminal:
    """Progress on standard error: one line that is rewritten on a terminal, a line now and then in a log."""

    def __init__(self, *, quiet: bool = False, every_s: float | None = None) -> None:
        self._live = sys.stderr.isatty()
        self._every_s = every_s if every_s is not None else (0.1 if self._live else 10.0)
        self._quiet = quiet
        self._stage = ""
        self._began = self._shown = time.monotonic()
        self._drawn = False

    def update(self, stage: str, done: float, total: float | None, unit: str) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self.close()
            self._stage, self._began, self._shown = stage, now, now if not self._live else 0.0
        if self._quiet or now - self._shown < self._every_s:
            return
        self._shown = now
        self._draw(f"{stage}: {_amount(done, total, unit)}{_remaining(done, total, now - self._began)}")

    def note(self, text: str) -> None:
        self.close()
        if not self._quiet:
            say(text)

    def close(self) -> None:
        """End the live line, so that what follows begins on a line of its own."""
        if self._drawn:
            print(file=sys.stderr)
            self._drawn = False

    def _draw(self, text: str) -> None:
        if self._live:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
            self._drawn = True
        else:
            say(text)


def _amount(done: float, total: float | None, unit: str) -> str:
    def show(n: float) -> str:
        return human_bytes(n) if unit in ("B", "byte", "bytes") else f"{n:,.0f}"

    tail = "" if unit in ("B", "byte", "bytes") else f" {unit}"
    if total:
        return f"{show(done)} of {show(total)}{tail} ({done / total:.0%})"
    return f"{show(done)}{tail}"


def _remaining(done: float, total: float | None, spent_s: float) -> str:
    if not total or done <= 0 or done >= total or spent_s < 2:
        return ""
    return f", about {spent_s * (total - done) / done:.0f} s left"
