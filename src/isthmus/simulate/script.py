"""The script of a job: what a scheduler runs, readable and runnable by hand."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

FILE_NAME = "script.sh"
# One thread a rank: ranks are the parallelism, and BLAS then returns the same bits for the same shapes.
_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR")
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in _LIBRARIES} | {"VECLIB_MAXIMUM_THREADS": "1"}


def render_script(
    folder: Path, *, python: str, launcher: Sequence[str], program: Sequence[str], environment: Mapping[str, str]
) -> str:
    """The text of script.sh: exports, then the wrapper that runs `launcher` on `program` and leaves exit.json.

    Every word is quoted for a POSIX shell. Holds no secrets: only `environment` is written down.
    """
    exports = [f"export {name}={shlex.quote(value)}" for name, value in sorted(environment.items())]
    wrapper = [python, "-m", "isthmus.simulate.wrapper", str(folder)]
    command = shlex.join(wrapper) + " -- \\\n  " + shlex.join(launcher) + " \\\n  " + shlex.join(program)
    lines = ["#!/bin/sh", "set -eu", f"cd {shlex.quote(str(folder))}", *exports, f"exec {command}"]
    return "\n".join(lines) + "\n"
