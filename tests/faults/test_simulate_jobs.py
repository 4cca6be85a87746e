"""Phase 2 under misfortune: killed, stopped, misled; nothing half-visible, nothing left running, nothing lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "simulate"))
from conftest import blobs, make_reads  # noqa: F401  the fixture of the simulate tests

from isthmus.backbone.lake import Lake
from isthmus.core.errors import Corrupt, NotInstalled
from isthmus.core.job import JobState
from isthmus.core.progress import Silent
from isthmus.core.ref import Name, Ref
from isthmus.simulate import jobs, simulation
from isthmus.simulate.collect import collect
from isthmus.simulate.local import LocalScheduler

INTO = Name.parse("gut.clusters")
PROGRAM = ["-m", "mpi4py", "-m", "isthmus.simulate.programs.kmeans"]

DRIVER = """
import sys
from isthmus.backbone.lake import Lake
from isthmus.core.progress import Silent
from isthmus.core.ref import Name, Ref
from isthmus.simulate import simulation
from isthmus.simulate.local import LocalScheduler
lake = Lake.open(sys.argv[1])
plan = simulation.make_plan("kmeans", Ref.parse(sys.argv[2]), lake, into=Name.parse("gut.clusters"), params={PARAMS})
print(simulation.simulate(plan, lake, LocalScheduler(), ranks=2, progress=Silent()))
"""


def _plan(lake: Lake, ref: Ref, **params):
    return simulation.make_plan("kmeans", ref, lake, into=INTO, params=params)


def _wait_for(condition, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def _of_job(folder: Path) -> list[psutil.Process]:
    """Processes whose command line names something under `folder`."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if any(str(folder) in word for word in words) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def _outputs(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "out").iterdir())}


@pytest.fixture
def big(make_reads):  # noqa: F811
    """A lake with enough reads and starts that k-means takes some seconds."""
    x, halves, _ = blobs(20_000, 24, 6, seed=3, apart=2.0)
    return make_reads(x, halves)


def test_a_rank_that_raises_ends_the_job_in_seconds_with_its_message(make_reads):  # noqa: F811
    """One rank of three meets a damaged row while the others wait for it: the job ends, saying which and why."""
    x, halves, _ = blobs(13_000, 8, 3, seed=5)
    x[12_500, 0] = np.inf
    lake, ref = make_reads(x, halves)
    began = time.monotonic()

    with pytest.raises(Corrupt, match=r"rank 2 on .*: Corrupt: x, row 12,500: .*rank-0002\.log") as caught:
        simulation.simulate(_plan(lake, ref), lake, LocalScheduler(), ranks=3, progress=Silent())

    assert time.monotonic() - began < 20
    log = Path(str(caught.value).rpartition("log: ")[2])
    assert "Traceback" in log.read_text()
    record = json.loads((log.parent / "error-rank-0002.json").read_text())
    assert (record["type"], record["rank"]) == ("Corrupt", 2)
    assert json.loads((log.parent / "exit.json").read_text())["code"] != 0
    assert not (log.parent / "result.json").exists()
    assert _of_job(lake.root) == []
    assert [str(name) for name in lake.names()] == ["gut.reads"]


def test_a_world_of_the_wrong_size_is_refused(make_reads):  # noqa: F811
    """Ranks started by a launcher of another MPI would each be alone and each write the result."""
    x, halves, _ = blobs(600, 8, 3, seed=5)
    lake, ref = make_reads(x, halves)
    job = simulation.prepare(_plan(lake, ref), lake, ranks=3)
    scheduler = LocalScheduler()

    job = scheduler.submit(job, PROGRAM, ranks=2)
    _wait_for(lambda: scheduler.poll(job).state != JobState.RUNNING)

    assert scheduler.poll(job).state == JobState.FAILED
    error = jobs.failure(job, "kmeans", scheduler.poll(job).code, "launcher.log")
    assert "3 ranks were asked for and the launcher started a world of 2" in str(error)
    scheduler.cancel(job)


def test_a_driver_killed_with_9_leaves_nothing_running_and_the_next_goes_on(big, tmp_path):
    """SIGKILL to the driver ends wrapper, launcher and ranks; the same command again gives undisturbed bytes."""
    lake, ref = big
    script = tmp_path / "driver.py"
    script.write_text(DRIVER.replace("{PARAMS}", "{'starts': 10, 'refinements': 0}"))
    driver = subprocess.Popen([sys.executable, str(script), str(lake.root), str(ref)])
    plan = _plan(lake, ref, starts=10, refinements=0)
    folder = lake.scratch / "jobs" / plan.id / "1.0"
    _wait_for(lambda: (folder / "rank-0001.log").exists() and (folder / "progress.json").exists())
    assert len(_of_job(folder)) >= 3

    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()

    _wait_for(lambda: not _of_job(folder), 15)
    assert not (folder / "result.json").exists()
    _wait_for(lambda: (folder / "exit.json").exists())
    assert "driver" in json.loads((folder / "exit.json").read_text())["reason"]
    assert lake.find(INTO, plan.id) is None
    done = simulation.simulate(plan, lake, LocalScheduler(), ranks=2, progress=Silent())
    assert done == INTO.at(1)
    assert str(lake.read(done).commit.facts["job_folder"]).endswith("/2.0")


def test_a_wrapper_killed_with_9_takes_its_ranks_along(big):
    """SIGKILL to the wrapper reaches the launcher through the kernel, and the ranks through the launcher."""
    lake, ref = big
    job = simulation.prepare(_plan(lake, ref, starts=10), lake, ranks=2)
    scheduler = LocalScheduler()
    job = scheduler.submit(job, PROGRAM, ranks=2)
    _wait_for(lambda: (job.folder / "progress.json").exists())
    wrapper = [one for one in _of_job(job.folder) if "isthmus.simulate.wrapper" in one.cmdline()]

    wrapper[0].kill()

    _wait_for(lambda: not _of_job(job.folder), 15)
    assert scheduler.poll(job).state == JobState.FAILED
    scheduler.cancel(job)


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["seed", "lloyd", "merge"])
def test_an_interrupted_attempt_goes_on_from_its_checkpoint_to_the_same_bytes(big, phase):
    """Killed in each phase, the next attempt (on another number of ranks) begins there and ends with the same bytes."""
    lake, ref = big
    plan = _plan(lake, ref, starts=3)
    undisturbed = simulation.prepare(plan, lake, ranks=2, checkpoint_s=1e9)
    _run(undisturbed, 2)
    checkpoint = lake.scratch / "jobs" / plan.id / jobs.CHECKPOINT
    checkpoint.unlink()
    killed = simulation.prepare(plan, lake, ranks=2, checkpoint_s=0.0)
    scheduler = LocalScheduler()
    killed = scheduler.submit(killed, PROGRAM, ranks=2)
    _wait_for(lambda: _phase(checkpoint) == (phase, 1 if phase == "merge" else 0), 60)
    for rank in [one for one in _of_job(killed.folder) if "isthmus.simulate.programs.kmeans" in one.cmdline()]:
        rank.kill()
    _wait_for(lambda: scheduler.poll(killed).state != JobState.RUNNING)
    scheduler.cancel(killed)
    assert _phase(checkpoint) is not None

    after = simulation.prepare(plan, lake, ranks=3, checkpoint_s=1e9)
    _run(after, 3)

    assert not (killed.folder / "result.json").exists()
    assert _outputs(after.folder) == _outputs(undisturbed.folder)


def _run(job, ranks):
    scheduler = LocalScheduler()
    job = scheduler.submit(job, PROGRAM, ranks=ranks)
    _wait_for(lambda: scheduler.poll(job).state != JobState.RUNNING, 120)
    scheduler.cancel(job)
    assert (job.folder / "result.json").exists()


def _phase(checkpoint: Path) -> tuple[str, int] | None:
    try:
        with np.load(checkpoint, allow_pickle=False) as state:
            return str(state["phase"]), int(state["pass"])
    except FileNotFoundError:
        return None


def test_a_damaged_or_foreign_checkpoint_counts_as_absent(make_reads):  # noqa: F811
    """Rubbish, a cut file and the state of another plan are passed over; the bytes are those of a fresh run."""
    x, halves, _ = blobs(3000, 8, 3, seed=5)
    lake, ref = make_reads(x, halves)
    plan = _plan(lake, ref, starts=2)
    fresh = simulation.prepare(plan, lake, ranks=1, checkpoint_s=0.0)
    _run(fresh, 1)
    checkpoint = lake.scratch / "jobs" / plan.id / jobs.CHECKPOINT
    whole = checkpoint.read_bytes()
    other = _plan(lake, ref, starts=2, seed=5)
    foreign = lake.scratch / "jobs" / other.id / jobs.CHECKPOINT
    results = []

    for content in (b"rubbish", whole[: len(whole) // 2], b""):
        checkpoint.write_bytes(content)
        job = simulation.prepare(plan, lake, ranks=1)
        _run(job, 1)
        results.append(_outputs(job.folder))
    foreign.parent.mkdir(parents=True)
    foreign.write_bytes(whole)
    alien = simulation.prepare(other, lake, ranks=1)
    _run(alien, 1)
    foreign.unlink()
    clean = simulation.prepare(other, lake, ranks=1)
    _run(clean, 1)

    assert all(one == _outputs(fresh.folder) for one in results)
    assert _outputs(alien.folder) == _outputs(clean.folder)


def test_ctrl_c_ends_the_ranks_and_leaves_the_lake_as_it_was(big):
    """KeyboardInterrupt while waiting stops the whole job; exit.json says so; the same plan can run again."""
    lake, ref = big
    plan = _plan(lake, ref, starts=10)

    class Interrupts(Silent):
        def update(self, stage, done, total, unit):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        simulation.simulate(plan, lake, LocalScheduler(), ranks=2, progress=Interrupts())

    assert "goes on" in caught.value.__notes__[0]
    assert _of_job(lake.root) == []
    assert (lake.scratch / "jobs" / plan.id / "1.0" / "exit.json").exists()
    assert lake.find(INTO, plan.id) is None


def test_a_result_that_nobody_collected_is_collected_and_not_computed_again(make_reads):  # noqa: F811
    """The driver died after result.json: the next call commits it without a launch; collecting twice is one version."""
    x, halves, _ = blobs(3000, 8, 3, seed=5)
    lake, ref = make_reads(x, halves)
    plan = _plan(lake, ref, starts=2)
    job = simulation.prepare(plan, lake, ranks=2)
    _run(job, 2)

    class NeverLaunches(LocalScheduler):
        def submit(self, job, program, *, ranks):
            raise AssertionError("launched although a result was there")

    first = simulation.simulate(plan, lake, NeverLaunches(), ranks=2, progress=Silent())
    again = collect(job, plan, lake)
    third = simulation.simulate(plan, lake, NeverLaunches(), ranks=4, progress=Silent())

    assert first == again == third == INTO.at(1)
    assert len(lake.history(INTO)) == 1
    lake.verify(first)


def test_a_result_whose_bytes_changed_is_not_believed(make_reads):  # noqa: F811
    """A flipped byte, a missing file and a cut file each make the attempt worthless, and it is run again."""
    x, halves, _ = blobs(2000, 8, 3, seed=5)
    lake, ref = make_reads(x, halves)
    plan = _plan(lake, ref, starts=1)
    for damage in ("flip", "remove", "cut"):
        job = simulation.prepare(plan, lake, ranks=1)
        _run(job, 1)
        path = job.folder / "out" / "labels.npy"
        raw = bytearray(path.read_bytes())
        if damage == "flip":
            raw[500] ^= 1
            path.write_bytes(raw)
        elif damage == "remove":
            path.unlink()
        else:
            path.write_bytes(raw[:-4])

    assert jobs.finished(lake.scratch / "jobs" / plan.id, plan.id) is None
    done = simulation.simulate(plan, lake, LocalScheduler(), ranks=1, progress=Silent())
    assert str(lake.read(done).commit.facts["job_folder"]).endswith("/4.0")


def test_a_missing_launcher_is_an_error_with_the_install_line(make_reads, monkeypatch):  # noqa: F811
    """Without the mpich wheel the message is the line that installs it."""
    monkeypatch.setattr("isthmus.simulate.local._listed", list)
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    x, halves, _ = blobs(100, 8, 3, seed=5)
    lake, ref = make_reads(x, halves)

    with pytest.raises(NotInstalled, match="pip install mpich mpi4py"):
        simulation.simulate(_plan(lake, ref), lake, LocalScheduler(), ranks=1, progress=Silent())
