"""Phase 1 killed at any moment, its workers killed, the disk full, Ctrl-C: the next run gives the same bytes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isthmus.backbone.lake import Lake
from isthmus.core.errors import WontFit
from isthmus.core.progress import Silent
from isthmus.core.ref import Name
from isthmus.prepare import embedding, local, sources

PART_BYTES = 150_000
DRIVER = """
import sys
from pathlib import Path
from isthmus.backbone.lake import Lake
from isthmus.core.progress import Silent
from isthmus.core.ref import Name
from isthmus.prepare import embedding, sources
embedding.SMALL_BYTES = 0
lake = Lake.open(sys.argv[1])
files = sources.find_sources(sys.argv[3:], spool=lake.scratch / "spool", cache=lake.scratch / "cache")
plan = embedding.make_plan(files, into=Name.parse("gut.reads"), part_bytes=int(sys.argv[2]))
print("ready", flush=True)
print(embedding.embed(plan, lake, workers=2, mem_bytes=1 << 30, progress=Silent()))
"""


@pytest.fixture
def reads(tmp_path: Path) -> list[Path]:
    """A plain and a gzip file, some 40 parts together."""
    import gzip

    rng = np.random.default_rng(21)
    lines = []
    for i in range(700):
        n = int(rng.integers(500, 6000))
        seq = rng.choice(np.frombuffer(b"ACGT", np.uint8), n).tobytes()
        lines.append(b"@r%d\n%s\n+\n%s\n" % (i, seq, rng.integers(33, 80, n).astype(np.uint8).tobytes()))
    (tmp_path / "a.fastq").write_bytes(b"".join(lines))
    (tmp_path / "b.fastq.gz").write_bytes(gzip.compress(b"".join(lines[:250]), 1))
    return [tmp_path / "a.fastq", tmp_path / "b.fastq.gz"]


def start(lake: Path, files: list[Path]) -> subprocess.Popen[str]:
    """An embed in a process of its own, past its imports."""
    words = [str(lake), str(PART_BYTES), *map(str, files)]
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert driver.stdout is not None
    assert driver.stdout.readline() == "ready\n", driver.stderr.read() if driver.stderr else ""
    return driver


def content(root: Path) -> tuple[Any, ...]:
    lake = Lake.open(root)
    ref = lake.newest(Name.parse("gut.reads"))
    manifest = lake.read(ref).manifest
    assert manifest is not None
    return lake.table(ref).to_pylist(), [one.xxh3_128 for one in manifest.shards + manifest.halves]


def receipts(root: Path) -> dict[Path, tuple[int, int]]:
    """Finished parts: inode and time of each receipt."""
    found = {}
    for path in (root / "_scratch" / "parts").glob("*/*.json"):
        facts = path.stat()
        found[path] = (facts.st_ino, facts.st_mtime_ns)
    return found


def workers_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in children.read_text().split()] if children.exists() else []


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def all_end(pids: list[int]) -> bool:
    """Whether none is left after a short while: a worker just born looks for its parent when its imports are done."""
    deadline = time.monotonic() + 5
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not any(map(alive, pids))


@pytest.mark.slow
def test_ten_kills_at_random_moments(tmp_path: Path, reads: list[Path]) -> None:
    """kill -9 ten times, then once to the end: the bytes of an undisturbed run; no finished part was done again."""
    began = time.monotonic()
    undisturbed = start(tmp_path / "calm", reads)
    assert undisturbed.wait(120) == 0
    usual_s = time.monotonic() - began
    chance = random.Random(2026)
    lake, finished, left_behind = tmp_path / "lake", {}, []

    for _ in range(10):
        driver = start(lake, reads)
        time.sleep(chance.uniform(0, 0.5 * usual_s))
        crew = workers_of(driver.pid)
        driver.kill()
        driver.wait()
        left_behind += crew
        now = receipts(lake)
        assert {path: now.get(path) for path in finished} == finished or not now  # none gone, none written anew
        finished = now
    driver = start(lake, reads)
    assert driver.wait(120) == 0

    assert content(lake) == content(tmp_path / "calm")
    assert all_end(left_behind)


def _killed_in_the_middle(lake: Path, reads: list[Path]) -> bool:
    """Kill a run when six parts are done; False where it was over before that."""
    driver = start(lake, reads)
    deadline = time.monotonic() + 60
    while len(receipts(lake)) < 6 and driver.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    driver.kill()
    driver.wait()
    time.sleep(0.5)
    return not Lake.open(lake).names()


def test_restart_uses_every_finished_part(tmp_path: Path, reads: list[Path]) -> None:
    """Killed when some parts are done: the next run reuses just those, of plain and of gzip files."""
    lakes = (tmp_path / f"lake{i}" for i in range(8))
    lake = next(one for one in lakes if _killed_in_the_middle(one, reads))
    done = len(receipts(lake))

    assert start(lake, reads).wait(120) == 0

    facts = Lake.open(lake).read(Name.parse("gut.reads").at(1)).commit.facts
    assert done >= 6
    assert facts["parts"]["reused"] == done
    assert facts["parts"]["total"] > done


def test_two_processes_of_one_plan_agree(tmp_path: Path, reads: list[Path]) -> None:
    """Both end well with the same Ref, whoever commits first; there is one version, whole."""
    lake = tmp_path / "lake"

    both = [start(lake, reads) for _ in range(2)]
    said = [driver.communicate(timeout=120) for driver in both]

    assert [driver.returncode for driver in both] == [0, 0], said
    assert [out for out, _ in said] == ["gut.reads@1\n"] * 2
    assert len(content(lake)[0]) == 950


def test_killed_worker_is_a_clear_error(tmp_path: Path, reads: list[Path]) -> None:
    """A worker that the kernel takes (memory) ends the run in words, not in a hang, and the next run goes on."""
    lake = tmp_path / "lake"
    driver = start(lake, reads)
    deadline = time.monotonic() + 30
    while not (crew := workers_of(driver.pid)) and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(crew[0], signal.SIGKILL)

    _, said = driver.communicate(timeout=60)

    assert driver.returncode != 0
    assert "WontFit: a worker process was killed (signal 9)" in said
    assert start(lake, reads).wait(120) == 0


def test_ctrl_c_ends_all_and_leaves_nothing_half_visible(tmp_path: Path, reads: list[Path]) -> None:
    """SIGINT ends driver and workers; no product, no file without its final name's content; the next run goes on."""
    lake = tmp_path / "lake"
    driver = start(lake, reads)
    deadline = time.monotonic() + 30
    while not (crew := workers_of(driver.pid)) and time.monotonic() < deadline:
        time.sleep(0.002)
    driver.send_signal(signal.SIGINT)

    _, said = driver.communicate(timeout=60)

    assert "KeyboardInterrupt" in said
    assert all_end(crew)
    assert Lake.open(lake).names() == []
    assert start(lake, reads).wait(120) == 0


def test_full_disk_is_told_and_the_next_run_goes_on(tmp_path: Path, reads: list[Path]) -> None:
    """Files may grow no further than a shard needs: WontFit, no product; with room again, the same bytes."""
    import resource

    lake = Lake.open(tmp_path / "lake")
    files = sources.find_sources([str(reads[0])], spool=lake.scratch / "spool", cache=lake.scratch / "cache")
    plan = embedding.make_plan(files, into=Name.parse("gut.reads"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        with pytest.raises(WontFit, match="no space left"):
            embedding.embed(plan, lake, workers=1, mem_bytes=1 << 30, progress=Silent())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert lake.names() == []
    assert not [path for path in lake.root.rglob("*.npy") if path.stat().st_size]

    ref = embedding.embed(plan, lake, workers=1, mem_bytes=1 << 30, progress=Silent())

    assert lake.read(ref).commit.rows == 700


def test_worker_that_raises_something_unknown_is_a_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no code foresaw comes back with its traceback, and no worker stays."""
    task = embedding.Task(
        file=0, path=str(tmp_path), name="x", format=0, compression="plain", body=0, size=1, features="kmer:4",
        cut=(0, 0.0, 1.0), part_bytes=10, limit_bytes=1 << 20, parts_folder=str(tmp_path), array_folder=str(tmp_path),
        part=0, start=0,
    )  # fmt: skip

    with pytest.raises(Exception, match="IsADirectoryError"):
        local.run_in_workers([task], 1, lambda _: None, lambda _: None)

    assert json.dumps(workers_of(os.getpid())) == "[]"
