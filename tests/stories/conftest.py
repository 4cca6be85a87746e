"""A small mock community, and the installed command run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ISTHMUS = [sys.executable, "-m", "isthmus"]


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Typed = Callable[..., Said]


@pytest.fixture
def typed(tmp_path: Path) -> Typed:
    """Type a command: `typed("run", path, lake=...)` -> Said; runs in `tmp_path` with its own home."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("ISTHMUS_")}

    def type_it(*words: str | Path, stdin: bytes | None = None, timeout_s: float = 300) -> Said:
        done = subprocess.run(
            [*ISTHMUS, *map(str, words)],
            cwd=tmp_path,
            env={**environ, "HOME": str(tmp_path)},
            input=stdin,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode())

    return type_it


@pytest.fixture(scope="session")
def community(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some 600 simulated reads of 12 invented genomes: reads.fastq.gz, truth.tsv."""
    folder = tmp_path_factory.mktemp("community")
    subprocess.run(
        [sys.executable, "-m", "isthmus.testing.community", "--out", str(folder), "--reads", "600", "--seed", "7"],
        check=True,
        capture_output=True,
    )
    return folder
