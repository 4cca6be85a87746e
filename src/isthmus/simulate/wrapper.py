"""Wraps the launcher of a job: ends it with the driver, and leaves exit.json as a second witness.

python -m isthmus.simulate.wrapper <job folder> -- <launcher and its arguments>

Standard input is a lifeline: the driver holds the other end of the pipe and never writes. When the driver dies, however
it dies, the pipe ends and the job is stopped. Where standard input is no pipe (a batch system), there is no lifeline.
"""

from __future__ import annotations

import os
import platform
import select
import signal
import stat
import subprocess
import sys
from pathlib import Path
from types import FrameType

from isthmus.core.clock import now_utc
from isthmus.core.files import write_json
from isthmus.core.shell import die_with_parent

FILE_NAME = "exit.json"
DRIVER_GONE = "the driver that had started this job is gone"
_POLL_S = 0.05
_GRACE_S = 2.0


class Stopped(Exception):
    """The job has to end; the argument says why."""


def main(folder: Path, argv: list[str]) -> int:
    """Run `argv` to its end or until the lifeline ends; write exit.json; return its exit code."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    started, reason = now_utc(), None
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=die_with_parent)
    try:
        code = _wait(child)
    except Stopped as stop:
        reason = str(stop)
        code = _end(child)
    record = {
        "code": code if code >= 0 else 128 - code,
        "signal": -code if code < 0 else None,
        "reason": reason,
        "host": platform.node(),
        "started": started,
        "ended": now_utc(),
    }
    write_json(folder / FILE_NAME, record)
    return int(record["code"] or 0)


def _wait(child: subprocess.Popen[bytes]) -> int:
    """Exit code of `child`. Raises Stopped when the lifeline ends first."""
    lifeline = [0] if stat.S_ISFIFO(os.fstat(0).st_mode) else []
    while child.poll() is None:
        if not lifeline:
            try:
                return child.wait(_POLL_S * 10)
            except subprocess.TimeoutExpired:
                continue
        ready, _, _ = select.select(lifeline, [], [], _POLL_S)
        if ready and not os.read(0, 4096):
            raise Stopped(DRIVER_GONE)
    return int(child.returncode)


def _end(child: subprocess.Popen[bytes]) -> int:
    """Stop the launcher and all ranks: SIGTERM to the group, SIGKILL to what is left."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, sign)
        except ProcessLookupError:
            break
        try:
            child.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            continue
    return child.wait()


def _stop(number: int, _frame: FrameType | None) -> None:
    raise Stopped(f"stopped by {signal.Signals(number).name}")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[3:]))
