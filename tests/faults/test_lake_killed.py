"""Writers killed with `kill -9`: the lake has the commit whole or not at all, and the next try makes exactly one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from isthmus.backbone.lake import Lake
from isthmus.core.ref import Name
from isthmus.testing.changes import small_change, small_plan

NAME = Name("gut", "reads")
OLD, NEW = 1, 2
ROWS = 40_000
SEED = 20261124


def start(root: Path, **environ: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "isthmus.testing.changes", str(root)]
    env = {**os.environ, **environ}
    writer = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
    assert writer.stdout.readline() == "ready\n"
    return writer


def tell(writer: subprocess.Popen[str], verb: str, rows: int) -> None:
    writer.stdin.write(f"{NAME} {verb} {NEW} {rows}\n")
    writer.stdin.flush()


def end(writer: subprocess.Popen[str]) -> int:
    with suppress(BrokenPipeError):
        writer.stdin.close()
    writer.stdout.close()
    return writer.wait(30)


def prepared(root: Path) -> Lake:
    """A lake with one version, so that there is something to lose."""
    lake = Lake.open(root)
    lake.commit(small_change(lake, NAME, OLD, rows=10))
    return lake


def expected(seeds_rows: list[tuple[int, int]]) -> list[int]:
    return np.concatenate([np.arange(rows) + seed * 1000 for seed, rows in seeds_rows]).tolist()


def check_whole_or_absent_then_once(root: Path, verb: str, rows: int) -> bool:
    """Assert it after a kill; returns whether the commit was there already."""
    lake = Lake.open(root, create=False)
    found = lake.find(NAME, small_plan(NAME, NEW).id)
    assert lake.newest(NAME).version == (1 if found is None else 2)
    assert lake.table(NAME.at(1))["record"].to_pylist() == expected([(OLD, 10)])
    assert lake.verify(NAME.at(1)) > 0

    again = lake.commit(small_change(lake, NAME, NEW, verb=verb, rows=rows))

    assert again == NAME.at(2) == lake.newest(NAME)
    holds = [(OLD, 10), (NEW, rows)] if verb == "append" else [(NEW, rows)]
    assert lake.table(again)["record"].to_pylist() == expected(holds)
    assert lake.verify(again) > 0
    assert lake.array(again).shape == (sum(n for _, n in holds), 3)
    return found is not None


@pytest.mark.parametrize("verb", ["append", "replace"])
def test_killed_at_random_moments(tmp_path: Path, verb: str) -> None:
    """Twelve kills at seeded random moments of preparing and committing 40,000 rows."""
    timed = prepared(tmp_path / "timed")
    began = time.perf_counter()
    timed.commit(small_change(timed, NAME, NEW, verb=verb, rows=ROWS))
    whole_s = time.perf_counter() - began
    delays = [random.Random(SEED + i).uniform(0, 1.5 * whole_s) for i in range(12)]
    roots = [tmp_path / f"lake{i}" for i in range(12)]
    for root in roots:
        prepared(root)

    killed = 0
    for root, delay in zip(roots, delays, strict=True):
        writer = start(root)
        tell(writer, verb, ROWS)
        time.sleep(delay)
        writer.send_signal(signal.SIGKILL)
        killed += end(writer) == -signal.SIGKILL
    for root in roots:
        check_whole_or_absent_then_once(root, verb, ROWS)

    assert killed == 12


@pytest.mark.slow
@pytest.mark.parametrize("first", [False, True])
def test_killed_before_every_step(tmp_path: Path, first: bool) -> None:
    """Killed before each single thing it does to a file, on a new product and on one with a version."""

    def die_at(step: int) -> tuple[int, Path]:
        root = tmp_path / f"lake{step}"
        Lake.open(root) if first else prepared(root)
        writer = start(root, ISTHMUS_DIE_AT=str(step))
        tell(writer, "append", 20)
        writer.stdout.readline()
        return end(writer), root

    outcomes = []
    with ThreadPoolExecutor(2) as pool:
        for at in range(0, 400, 8):
            outcomes += pool.map(die_at, range(at, at + 8))
            if outcomes[-1][0] == 0:
                break

    died = [root for code, root in outcomes if code == -signal.SIGKILL]
    assert len(died) >= 20
    assert outcomes[-1][0] == 0  # in the end it gets through: no step was left out
    for _, root in outcomes:
        if first:
            lake = Lake.open(root)
            assert lake.commit(small_change(lake, NAME, NEW, rows=20)) == NAME.at(1) == lake.newest(NAME)
            assert lake.table(NAME.at(1))["record"].to_pylist() == expected([(NEW, 20)])
        else:
            check_whole_or_absent_then_once(root, "append", 20)
