"""Running other programs: argument lists only, never a shell, and none left behind."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isthmus.core.errors import NotInstalled


@dataclass(frozen=True)
class Finished:
    """How a program ended."""

    code: int
    stdout: str
    stderr: str


def run(argv: Sequence[str], *, timeout_s: float, env: Mapping[str, str] | None = None) -> Finished:
    """Run `argv` to its end and return its exit code and output. Raises NotInstalled where it is not there."""
    try:
        done = subprocess.run(list(argv), env=env, timeout=timeout_s, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise NotInstalled(f"{argv[0]} is not on this machine") from error
    return Finished(done.returncode, done.stdout, done.stderr)


def die_with_parent() -> None:
    """Ask Linux to kill this process when the one that started it dies; elsewhere do nothing."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)
