"""A run that is interrupted or killed leaves nothing half-visible, and goes on to the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from isthmus import api
from isthmus.core.ref import Name

SEED = 20261124


@pytest.fixture(scope="module")
def six_files(community: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The community's reads in six plain files: six parts at least."""
    import gzip

    folder = tmp_path_factory.mktemp("six")
    lines = gzip.decompress((community / "reads.fastq.gz").read_bytes()).splitlines(keepends=True)
    records = [b"".join(lines[i : i + 4]) for i in range(0, len(lines), 4)]
    paths = [folder / f"part{i}.fastq" for i in range(6)]
    for i, path in enumerate(paths):
        path.write_bytes(b"".join(records[i::6]))
    return paths


def start(files: list[Path], lake: Path) -> subprocess.Popen[bytes]:
    words = ["run", *map(str, files), "--lake", str(lake), "--report", str(lake) + ".html", "--json"]
    return subprocess.Popen(
        [sys.executable, "-m", "isthmus", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def digest(lake_path: Path) -> str:
    """Hash of everything a reader sees of both products: table rows, arrays, halves."""
    lake = api.open(lake_path, create=False)
    total = hashlib.sha256()
    for name in ("default.reads", "default.clusters"):
        ref = lake.resolve(name)
        total.update(str(ref).encode())
        total.update(json.dumps(lake.table(ref).to_pylist()).encode())
        total.update(lake.array(ref)[:].tobytes())
    for shard in sorted((lake_path / "default/reads").glob("arrays/*/*.npy")):
        total.update(shard.name.encode() + shard.read_bytes())
    return total.hexdigest()


def receipts(lake: Path) -> dict[str, tuple[int, int]]:
    """Every finished part and every finished job, with the moment it was finished."""
    found = [*lake.glob("_scratch/parts/*/*.json"), *lake.glob("_scratch/jobs/*/*/result.json")]
    return {str(path.relative_to(lake)): (path.stat().st_mtime_ns, path.stat().st_ino) for path in found}


def redone(before: dict[str, tuple[int, int]], now: dict[str, tuple[int, int]], lake: Path) -> list[str]:
    """What was finished before and is not as it was; receipts of parts may go once their product is committed."""
    committed = api.open(lake).find(Name.parse("default.reads"), parts_plan(before)) if before else None
    gone = [path for path in before if path not in now and not (committed and "/parts/" in path)]
    return gone + [path for path, moment in before.items() if path in now and now[path] != moment]


def parts_plan(found: dict[str, tuple[int, int]]) -> str:
    """Id of the plan that the receipts of parts belong to."""
    return next((Path(path).parts[2] for path in found if "/parts/" in path), "none")


def left_behind(lake: Path) -> list[str]:
    """Processes that still name this lake a moment later."""
    deadline = time.monotonic() + 5
    while True:
        found = [
            " ".join(one.info["cmdline"])
            for one in psutil.process_iter(["cmdline"])
            if any(str(lake) in word for word in one.info["cmdline"] or [])
        ]
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


@pytest.mark.slow
def test_killed_ten_times_and_then_the_same_bytes(six_files: list[Path], tmp_path: Path) -> None:
    """kill -9 at ten random moments: no finished part or job is redone, nothing is left running, bytes are equal."""
    rng = random.Random(SEED)
    began = time.monotonic()
    calm = start(six_files, tmp_path / "calm")
    assert calm.wait(300) == 0, calm.stderr.read() if calm.stderr else ""
    takes_s = time.monotonic() - began
    finished: dict[str, tuple[int, int]] = {}

    for _ in range(10):
        process = start(six_files, tmp_path / "torn")
        time.sleep(rng.uniform(0.1, 1.0) * takes_s)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert left_behind(tmp_path / "torn") == []
        now = receipts(tmp_path / "torn")
        assert redone(finished, now, tmp_path / "torn") == []
        finished |= now
    last = start(six_files, tmp_path / "torn")
    out, err = last.communicate(timeout=300)

    assert last.returncode == 0, err.decode()
    assert redone(finished, receipts(tmp_path / "torn"), tmp_path / "torn") == []
    assert digest(tmp_path / "torn") == digest(tmp_path / "calm")
    assert json.loads(out)["products"] == {"reads": "default.reads@1", "clusters": "default.clusters@1"}


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_says_how_to_go_on(six_files: list[Path], tmp_path: Path, sent: signal.Signals, code: int) -> None:
    """Ctrl-C ends with 130, nothing visible, nothing running, and words that say what to type next."""
    lake = tmp_path / "lake"
    process = start(six_files, lake)
    while process.poll() is None and not receipts(lake):
        time.sleep(0.01)

    os.killpg(process.pid, sent)
    _, err = process.communicate(timeout=20)

    assert process.returncode == code, err.decode()
    assert b"run the same command again" in err
    assert b"Traceback" not in err
    assert left_behind(lake) == []
    again = start(six_files, lake)
    assert again.wait(300) == 0


def test_two_runs_of_one_plan_at_once_make_one_version(six_files: list[Path], tmp_path: Path) -> None:
    """Both end well, with the same products, each committed once."""
    both = [start(six_files[:3], tmp_path / "lake") for _ in range(2)]
    outs = [one.communicate(timeout=300) for one in both]

    assert [one.returncode for one in both] == [0, 0], [err for _, err in outs]
    products = [json.loads(out)["products"] for out, _ in outs]
    assert products[0] == products[1] == {"reads": "default.reads@1", "clusters": "default.clusters@1"}
