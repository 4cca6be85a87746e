"""The door of phase 2: a plan for a rank program, what it would take, and carrying it out to a committed product."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.backbone.arrays import Manifest
from isthmus.backbone.lake import Lake, Snapshot
from isthmus.core import machine
from isthmus.core.errors import InvalidInput, IsthmusError, WontFit
from isthmus.core.files import free_bytes, human_bytes, read_json
from isthmus.core.flags import ReadFlag
from isthmus.core.job import Job, JobState
from isthmus.core.plan import Json, Plan, Projection
from isthmus.core.progress import Progress
from isthmus.core.ref import Name, Ref
from isthmus.simulate import jobs
from isthmus.simulate.collect import collect, read_columns, source_of
from isthmus.simulate.parameters import Facts, settle
from isthmus.simulate.request import ArrayInput, Request, ShardFile, rank_borders, write_request
from isthmus.simulate.scheduler import Scheduler

RECIPE_VERSION = 1
PROGRESS_FILE = "progress.json"
LAUNCHER_LOG = "launcher.log"
_POLL_S = 0.05
_BASELINE_BYTES = 60 << 20  # a rank before it holds any rows
_TABLE_BYTES = 40  # of a row of the table on disk, about


def make_plan(program: str, ref: Ref, lake: Lake, *, into: Name, params: Mapping[str, Json]) -> Plan:
    """The plan of running `program` on `ref`: every parameter concrete, so that the same plan is the same bytes.

    Raises: InvalidInput: an unknown program, parameter or value, more clusters than reads, no array. NotFound.
    """
    snapshot = lake.read(ref)
    if snapshot.manifest is None:
        raise InvalidInput(f"{ref} has a table and no array; {program} needs the product of an embedding")
    settled = settle(program, params, _facts(snapshot), str(ref))
    return Plan(recipe=program, recipe_version=RECIPE_VERSION, target=into, inputs=(ref,), params=settled)


def project(plan: Plan, lake: Lake, *, ranks: int) -> Projection:
    """What carrying out `plan` takes: memory of all ranks together, bytes on disk."""
    snapshot = lake.read(source_of(plan))
    manifest = _manifest(snapshot)
    rows, dim = manifest.rows, _dim(plan, manifest)
    per_row = dim * 4 * (4 if manifest.halves else 2) + 8 * int(str(plan.params["starts"])) + 24
    notes = () if ranks <= max(1, -(-rows // 4096)) else (f"{ranks} ranks for {rows:,} rows: some will have none",)
    return Projection(
        rows=rows,
        out_bytes=rows * (dim * 4 + 12 + _TABLE_BYTES),
        mem_bytes=rows * per_row + ranks * _BASELINE_BYTES,
        free_bytes=free_bytes(lake.scratch),
        notes=notes,
    )


def simulate(
    plan: Plan, lake: Lake, scheduler: Scheduler, *, ranks: int, progress: Progress, mem_bytes: int | None = None
) -> Ref:
    """Carry out `plan` and commit what it finds; the same plan again returns the same Ref and runs nothing.

    A result that an earlier attempt left is collected, not computed again; an attempt that was interrupted goes on from
    its checkpoint. Ctrl-C ends the ranks and leaves the lake as it was.

    Args:   mem_bytes: what all ranks may use together; what this machine can give, where it is None.
    Raises: JobFailed: with the message and log of the rank that failed. WontFit, InvalidInput, Corrupt, Conflict.
    """
    if ranks < 1:
        raise InvalidInput(f"{ranks} ranks: ask for at least 1")
    done = lake.find(plan.target, plan.id)
    if done is not None:
        return done
    plan_folder = lake.scratch / "jobs" / plan.id
    job = jobs.finished(plan_folder, plan.id)
    if job is None:
        _check_fits(project(plan, lake, ranks=ranks), lake, mem_bytes or machine.usable_memory_bytes())
        job = prepare(plan, lake, ranks=ranks)
        _run(job, plan, scheduler, ranks=ranks, progress=progress)
    else:
        progress.note(f"collecting the result that an earlier attempt left in {job.folder}")
    progress.update("collect", 0, 1, "commit")
    ref = collect(job, plan, lake)
    (plan_folder / jobs.CHECKPOINT).unlink(missing_ok=True)
    progress.update("collect", 1, 1, "commit")
    return ref


def prepare(plan: Plan, lake: Lake, *, ranks: int, checkpoint_s: float = 20.0) -> Job:
    """A new attempt at `plan`: its folder with request.json and the columns that ranks need.

    Every byte of the input is read and compared with its checksum first: ranks compute on what was committed, or not
    at all. Raises Corrupt with the file; InvalidInput where scratch cannot be written to.
    """
    snapshot = lake.read(source_of(plan))
    manifest = _manifest(snapshot)
    lake.verify(snapshot.commit.ref)
    job = jobs.claim(lake.scratch / "jobs" / plan.id, plan.id)
    columns = read_columns(snapshot, {"flags": "<i4", "length": "<i4"})
    (job.folder / "in").mkdir()
    for name, values in columns.items():
        np.save(job.folder / "in" / f"{name}.npy", values, allow_pickle=False)
    inputs = {"x": _array(snapshot, manifest, ranks, "shards")}
    if manifest.halves:
        inputs["halves"] = _array(snapshot, manifest, ranks, "halves")
    request = Request(
        program=plan.recipe,
        plan=plan.id,
        attempt=job.attempt,
        restart=job.restart,
        ranks=ranks,
        params=dict(plan.params),
        inputs=inputs,
        columns={name: f"in/{name}.npy" for name in columns},
        checkpoint=str(job.folder.parent / jobs.CHECKPOINT),
        checkpoint_s=checkpoint_s,
    )
    write_request(job.folder, request)
    return job


def _run(job: Job, plan: Plan, scheduler: Scheduler, *, ranks: int, progress: Progress) -> None:
    """Submit and wait; whatever happens, nothing of the job runs afterwards."""
    program = ["-m", "mpi4py", "-m", f"isthmus.simulate.programs.{plan.recipe}"]
    job = scheduler.submit(job, program, ranks=ranks)
    try:
        observed = scheduler.poll(job)
        while observed.state not in (JobState.DONE, JobState.FAILED, JobState.CANCELLED):
            _tell(job.folder / PROGRESS_FILE, progress)
            time.sleep(_POLL_S)
            observed = scheduler.poll(job)
    except KeyboardInterrupt as stop:
        stop.add_note(f"phase 2 was stopped; the same command goes on from its checkpoint in {job.folder.parent}")
        raise
    finally:
        scheduler.cancel(job)
    if not (job.folder / jobs.RESULT).is_file():
        raise jobs.failure(job, plan.recipe, observed.code, LAUNCHER_LOG)


def _tell(path: Path, progress: Progress) -> None:
    try:
        found: dict[str, Any] = read_json(path)
    except IsthmusError:
        return
    progress.update(found["stage"], found["done"], found["total"], found["unit"])


def _check_fits(projection: Projection, lake: Lake, have: int) -> None:
    if projection.mem_bytes > have:
        raise WontFit(
            f"clustering {projection.rows:,} reads needs about {human_bytes(projection.mem_bytes)} of memory, "
            f"{human_bytes(have)} may be used; give more with --memory, ask for fewer ranks or fewer starts "
            "(--set starts=1), or take a larger machine"
        )
    if projection.out_bytes > projection.free_bytes:
        raise WontFit(
            f"{lake.scratch}: the result needs about {human_bytes(projection.out_bytes)}, "
            f"{human_bytes(projection.free_bytes)} are free; free some space or choose another lake"
        )


def _facts(snapshot: Snapshot) -> Facts:
    """From the commit's facts where they are there, else from the table."""
    manifest, facts = _manifest(snapshot), snapshot.commit.facts
    length, flagged = facts.get("length"), facts.get("flagged")
    if isinstance(length, Mapping) and isinstance(flagged, Mapping) and "median" in length and "no_kmers" in flagged:
        median, empty = float(str(length["median"])), int(str(flagged["no_kmers"]))
    else:
        columns = read_columns(snapshot, {"length": "<i8", "flags": "<i4"})
        median = float(np.median(columns["length"])) if manifest.rows else 0.0
        empty = int(((columns["flags"] & int(ReadFlag.NO_KMERS)) != 0).sum())
    return Facts(manifest.rows, manifest.rows - empty, median, bool(manifest.halves))


def _manifest(snapshot: Snapshot) -> Manifest:
    if snapshot.manifest is None:
        raise InvalidInput(f"{snapshot.commit.ref} has a table and no array")
    return snapshot.manifest


def _dim(plan: Plan, manifest: Manifest) -> int:
    return min(manifest.dim, int(str(plan.params["dims"]))) if plan.params["scale"] == "self" else manifest.dim


def _array(snapshot: Snapshot, manifest: Manifest, ranks: int, which: str) -> ArrayInput:
    folder = snapshot.array_folder or Path()
    shards = manifest.shards if which == "shards" else manifest.halves
    return ArrayInput(
        ref=str(snapshot.commit.ref),
        dtype=manifest.dtype,
        dim=manifest.dim,
        rows=manifest.rows,
        shards=tuple(ShardFile(str((folder / one.path).absolute()), one.rows, one.xxh3_128) for one in shards),
        ranks=rank_borders(manifest.rows, ranks),
    )
