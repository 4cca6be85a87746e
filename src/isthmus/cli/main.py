"""The door `isthmus`: reads the command line, calls the api, turns errors into words and exit codes."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from isthmus.cli.parser import build_parser
from isthmus.core import settings
from isthmus.core.errors import IsthmusError, exit_code


def script() -> None:
    """Entry point of the installed command."""
    sys.exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    args.command_line = _quoted(argv)
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        args.settings = settings.load(vars(args), os.environ, Path.cwd(), Path.home())
        _act(args)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt as error:
        print(
            "\nisthmus: interrupted. Nothing half-made is visible in the lake; finished parts are kept: "
            "run the same command again to go on.",
            file=sys.stderr,
        )
        return 143 if error.args == ("SIGTERM",) else exit_code(error)
    except (IsthmusError, OSError, MemoryError) as error:
        return _tell(error, args)
    return 0


def _act(args: argparse.Namespace) -> None:
    from isthmus.cli import acts, looks

    verbs = {
        "run": acts.run,
        "embed": acts.embed,
        "simulate": acts.simulate,
        "report": acts.report,
        "ls": looks.ls,
        "show": looks.show,
        "log": looks.log,
        "lineage": looks.lineage,
        "export": looks.export,
        "doctor": looks.doctor,
    }
    verbs[args.verb](args)


def _tell(error: Exception, args: argparse.Namespace) -> int:
    """Say what is wrong on standard error, and with --json as one object on standard output too; the exit code."""
    if args.verbose:
        import traceback

        traceback.print_exception(error)
    words = str(error) or type(error).__name__
    if isinstance(error, MemoryError):
        words = "out of memory: give less with --threads, or take a machine with more"
    for line in [words, *getattr(error, "__notes__", [])]:
        print(f"isthmus: {line}", file=sys.stderr)
    code = 6 if isinstance(error, MemoryError) else _os_code(error) if isinstance(error, OSError) else exit_code(error)
    if args.json:
        import json

        print(json.dumps({"error": {"class": type(error).__name__, "message": words, "exit_code": code}}, indent=1))
    return code


def _os_code(error: OSError) -> int:
    """A path that is not there is NotFound, one that may not be read is InvalidInput; else something is unavailable."""
    if isinstance(error, FileNotFoundError):
        return 3
    return 2 if isinstance(error, PermissionError | IsADirectoryError | NotADirectoryError) else 7


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt("SIGTERM")


def _quoted(argv: Sequence[str]) -> str:
    import shlex

    return shlex.join(["isthmus", *argv])
