"""Progress: how long work tells its caller how far it is; the library itself never prints."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told often, from the main thread only; must be cheap and must not raise."""

    def update(self, stage: str, done: float, total: float | None, unit: str) -> None:
        """`done` of `total` `unit`s of `stage` are finished; `total` is None where it is not known yet."""

    def note(self, text: str) -> None:
        """One sentence for a person: a choice that was made, a warning."""


class Silent:
    """A Progress that says nothing."""

    def update(self, stage: str, done: float, total: float | None, unit: str) -> None:
        return None

    def note(self, text: str) -> None:
        return None
