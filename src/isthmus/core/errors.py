"""Every error the system raises on purpose, named for what its reader does next."""

from __future__ import annotations

from pathlib import Path


class IsthmusError(Exception):
    """Base of all errors raised on purpose; the message says place, fact and next step."""


class InvalidInput(IsthmusError):
    """What the user gave cannot be used; mend the input or the command."""


class BadRecord(InvalidInput):
    """One record of a file cannot be read.

    Args:
        path:     the file as the user named it.
        record:   1-based number of the record in the file, or None where no record was reached.
        line:     1-based number of the line in the (decompressed) file, or None.
        found:    what stands there.
        expected: what should stand there.
        todo:     what the user can do about it.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        found: str,
        expected: str,
        record: int | None = None,
        line: int | None = None,
        todo: str = "mend or remove this record, then run the same command again",
    ) -> None:
        self.path = str(path)
        self.record = record
        self.line = line
        self.found = found
        self.expected = expected
        self.todo = todo
        place = [self.path]
        if record is not None:
            place.append(f"record {record:,}")
        if line is not None:
            place.append(f"line {line:,}")
        super().__init__(f"{', '.join(place)}: found {found}; expected {expected}; {todo}")

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild_bad_record, (self.path, self.found, self.expected, self.record, self.line, self.todo))


def _rebuild_bad_record(
    path: str, found: str, expected: str, record: int | None, line: int | None, todo: str
) -> BadRecord:
    return BadRecord(path, found=found, expected=expected, record=record, line=line, todo=todo)


class NotFound(IsthmusError):
    """A file, product or version that was asked for is not there."""


class Conflict(IsthmusError):
    """Another writer won, or an input changed meanwhile; read again and retry."""


class NotInstalled(IsthmusError):
    """A part is missing on this machine; the message is the line that installs it."""


class WontFit(IsthmusError):
    """Memory, disk or cores do not suffice; the message says what would fit."""


class Unavailable(IsthmusError):
    """Something outside does not answer now; trying later may pass."""


class JobFailed(IsthmusError):
    """A phase-2 job ended without a result; the message names rank, log and cause."""


class Corrupt(IsthmusError):
    """Stored bytes are not what was committed."""


class Bug(IsthmusError):
    """The system broke its own promise; please report it."""


EXIT_CODES: dict[type[BaseException], int] = {
    InvalidInput: 2,
    NotFound: 3,
    Conflict: 4,
    NotInstalled: 5,
    WontFit: 6,
    Unavailable: 7,
    JobFailed: 8,
    Corrupt: 9,
    Bug: 70,
    KeyboardInterrupt: 130,
}


def exit_code(error: BaseException) -> int:
    """Exit code of `error`: that of its nearest class in `EXIT_CODES`, 70 where there is none."""
    for cls in type(error).__mro__:
        if cls in EXIT_CODES:
            return EXIT_CODES[cls]
    return EXIT_CODES[Bug]
