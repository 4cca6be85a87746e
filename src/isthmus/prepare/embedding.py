"""Phase 1: a plan's raw files become a product of reads, cleaned and embedded, part by part."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from isthmus.backbone.arrays import Manifest, Shard
from isthmus.backbone.checksum import fingerprint
from isthmus.backbone.lake import Change, Lake
from isthmus.backbone.place import make_folder
from isthmus.backbone.schema import READS
from isthmus.core.clock import Stopwatch
from isthmus.core.errors import Bug, Conflict, InvalidInput, NotFound, WontFit
from isthmus.core.files import free_bytes, human_bytes
from isthmus.core.plan import FileInput, Json, Plan, Projection
from isthmus.core.progress import Progress
from isthmus.core.ref import Name, Ref
from isthmus.kernels.profiles import profiles
from isthmus.prepare import facts as facts_of
from isthmus.prepare import local, table
from isthmus.prepare.cleaning import Cleaning
from isthmus.prepare.compute import BadText, compute
from isthmus.prepare.explain import explain
from isthmus.prepare.parts import PART_BYTES, Receipt, Task, read_receipt
from isthmus.prepare.projection import project_tasks, record_limit, sample, workers_that_fit
from isthmus.prepare.sniff import Kind, sniff
from isthmus.prepare.text import BLOCK_BYTES

RECIPE, RECIPE_VERSION = "embed", 1
SMALL_BYTES = 32 << 20  # below this, starting workers takes longer than they save


def make_plan(
    sources: Sequence[FileInput],
    *,
    into: Name,
    with_: str = "kernel:4",
    cleaning: Cleaning | None = None,
    part_bytes: int = PART_BYTES,
) -> Plan:
    """The plan to clean `sources` and embed them with `with_`. Raises InvalidInput for an unknown embedding."""
    made = profiles(with_)
    clean = cleaning or Cleaning()
    params: dict[str, Json] = {
        "with": with_,
        "embedder_version": made.version,
        "min_length": clean.min_length,
        "min_mean_quality": float(clean.min_mean_quality),
        "max_n_share": float(clean.max_n_share),
        "part_bytes": part_bytes,
    }
    return Plan(RECIPE, RECIPE_VERSION, into, tuple(sources), params)


def project(plan: Plan, lake: Lake, *, workers: int) -> Projection:
    """What `plan` is expected to take; reads the first 4 MiB of each file. Raises as `embed`."""
    kinds = [sniff(Path(one.path), name=one.source) for one in _files(plan)]
    tasks = tasks_of(plan, lake, kinds, limit_bytes=BLOCK_BYTES)
    return project_tasks(tasks, list(map(sample, tasks)), free_bytes(lake.root), workers=workers)


def embed(plan: Plan, lake: Lake, *, workers: int, mem_bytes: int, progress: Progress) -> Ref:
    """Carry out `plan` and commit the product; returns the Ref of an earlier commit of the same plan, if there is one.

    The same bytes whatever `workers`. Finished parts of an interrupted call are used again. Memory does not grow with
    the input, apart from about 60 bytes per read while the table is written.

    Args:   workers: processes; mem_bytes: for all of them together.
    Raises: BadRecord, InvalidInput: something in a file cannot be used, or cleaning took every read. NotFound,
            Conflict: a file is gone or has changed. WontFit: disk or memory. The lake is as before.
    """
    found = lake.find(plan.target, plan.id)
    if found is not None:
        return found
    try:
        return _embed(plan, lake, workers=workers, mem_bytes=mem_bytes, progress=progress)
    except Exception:
        found = lake.find(plan.target, plan.id)
        if found is None:
            raise
        return found  # another process carried out the same plan, and cleared its scratch under our hands


def _embed(plan: Plan, lake: Lake, *, workers: int, mem_bytes: int, progress: Progress) -> Ref:
    before = [_unchanged(one, lake) for one in _files(plan)]
    work = _Work(plan, lake, workers=workers, mem_bytes=mem_bytes, progress=progress)
    with work.watch.stage("parts"):
        work.compute_parts()
    if [_identity(one) for one in _files(plan)] != before:
        raise Conflict("an input file changed while it was read; run the same command again when nothing writes to it")
    ref = work.commit()
    shutil.rmtree(work.parts_folder, ignore_errors=True)
    return ref


def _files(plan: Plan) -> list[FileInput]:
    return cast("list[FileInput]", list(plan.inputs))


def _identity(one: FileInput) -> tuple[int, int, int]:
    try:
        facts = Path(one.path).stat()
    except FileNotFoundError:
        raise NotFound(f"{one.source}: {one.path} is not there any more; restore it or plan again") from None
    return facts.st_size, facts.st_mtime_ns, facts.st_ino


def _unchanged(one: FileInput, lake: Lake) -> tuple[int, int, int]:
    identity = _identity(one)
    if identity[0] != one.size or fingerprint(Path(one.path), lake.scratch / "cache") != one.xxh3_128:
        raise Conflict(f"{one.source} has changed since the plan was made; run the command again")
    return identity


def _parts_folder(plan: Plan, lake: Lake) -> Path:
    return lake.scratch / "parts" / plan.id


def tasks_of(plan: Plan, lake: Lake, kinds: Sequence[Kind], *, limit_bytes: int) -> list[Task]:
    """One task per file, for all of its parts."""
    params: Mapping[str, Any] = plan.params
    cut = (params["min_length"], params["min_mean_quality"], params["max_n_share"])
    return [
        Task(
            file=i,
            path=one.path,
            name=one.source,
            format=kind.code,
            compression=kind.compression,
            body=kind.body,
            size=one.size,
            features=params["with"],
            cut=cut,
            part_bytes=params["part_bytes"],
            limit_bytes=limit_bytes,
            parts_folder=str(_parts_folder(plan, lake)),
            array_folder="",
        )
        for i, (one, kind) in enumerate(zip(_files(plan), kinds, strict=True))
    ]


@dataclass
class _Done:
    """Receipts as they come in, and what they sum to."""

    receipts: dict[tuple[int, int], Receipt] = field(default_factory=dict)
    reused: int = 0
    text_bytes: int = 0

    def add(self, receipt: Receipt) -> None:
        if receipt == self.receipts.get((receipt.file, receipt.part)):
            return
        self.receipts[receipt.file, receipt.part] = receipt
        self.text_bytes += max(0, receipt.stop - receipt.start)


class _Work:
    """One attempt at a plan."""

    def __init__(self, plan: Plan, lake: Lake, *, workers: int, mem_bytes: int, progress: Progress) -> None:
        self.plan, self.lake, self.mem_bytes, self.progress = plan, lake, mem_bytes, progress
        self.wanted, self.workers = max(1, workers), workers_that_fit(mem_bytes, max(1, workers))
        self.watch, self.done = Stopwatch(), _Done()
        self.parts_folder = _parts_folder(plan, lake)
        make_folder(self.parts_folder)
        with self.watch.stage("look"):
            self.kinds = [sniff(Path(one.path), name=one.source) for one in _files(plan)]
            folder = str(lake.array_folder(plan.target, plan.id))
            tasks = tasks_of(plan, lake, self.kinds, limit_bytes=record_limit(mem_bytes, 1))
            self.tasks = [replace(task, array_folder=folder) for task in tasks]
            sampled = list(map(sample, self.tasks))
            self.text_bytes = sum(one.text_bytes for one in sampled)
            self.projection = project_tasks(self.tasks, sampled, free_bytes(lake.root), workers=self.workers)

    def compute_parts(self) -> None:
        """Compute what has no receipt yet, then see that each part began where the one before stopped."""
        waiting = self._waiting()
        self._check_disk()
        if len(waiting) > 1 and sum(_task_bytes(task) for task in waiting) < SMALL_BYTES:
            self._run_small(waiting)
        elif self.workers == 1 or len(waiting) < 2:
            self._tell_fewer(len(waiting))
            local.run_here(waiting, self._on_receipt, self._on_bad_text)
        else:
            self._tell_fewer(len(waiting))
            workers = min(self.workers, len(waiting))
            local.run_in_workers(self._shared(waiting, workers), workers, self._on_receipt, self._on_bad_text)
        self.parts = [self._chain(task) for task in self.tasks]

    def _run_small(self, waiting: Sequence[Task]) -> None:
        """In threads, as many as fit; a record that is too long for the share of one has all of the memory, alone."""
        threads = min(workers_that_fit(self.mem_bytes, local.THREADS), len(waiting))
        try:
            local.run_small(self._shared(waiting, threads), threads, self._on_receipt, self._on_bad_text)
        except WontFit:
            local.run_here(waiting, self._on_receipt, self._on_bad_text)

    def _shared(self, tasks: Sequence[Task], workers: int) -> list[Task]:
        """`tasks` with what each of `workers` may hold of a file."""
        return [replace(task, limit_bytes=record_limit(self.mem_bytes, workers)) for task in tasks]

    def _tell_fewer(self, tasks: int) -> None:
        wanted = min(self.wanted, tasks)
        if self.workers < wanted:
            self.progress.note(f"{human_bytes(self.mem_bytes)} of memory allow {self.workers} of {wanted} workers")

    def _waiting(self) -> list[Task]:
        """What is still to be done: parts of plain files, whole files of others."""
        waiting = []
        for task in self.tasks:
            if task.compression != "plain":
                waiting += [] if self._reuse_all(task) else [task]
                continue
            for part in range(-(-task.size // task.part_bytes)):
                if self._reuse(task, part) is None:
                    waiting.append(replace(task, part=part))
        return waiting

    def _reuse(self, task: Task, part: int) -> Receipt | None:
        receipt = read_receipt(task, part)
        if receipt is not None:
            self.done.reused += 1
            self.done.add(receipt)
        return receipt

    def _reuse_all(self, task: Task) -> bool:
        """Whether all parts of a file that is read from its beginning have receipts; takes those that there are."""
        part = 0
        while receipt := self._reuse(task, part):
            if receipt.text_end >= 0:
                return True
            part += 1
        return False

    def _check_disk(self) -> None:
        there = sum(size for one in self.done.receipts.values() for size, _ in one.files.values())
        need, free = self.projection.out_bytes - there, self.projection.free_bytes
        if need > free:
            raise WontFit(
                f"about {self.projection.rows:,} reads need {human_bytes(need)} on disk under {self.lake.root}, "
                f"{human_bytes(free)} are free; free some space or choose another lake with --lake"
            )

    def _on_receipt(self, receipt: Receipt) -> None:
        self.done.add(receipt)
        done = self.done.text_bytes
        self.progress.update("embed", done, max(done, self.text_bytes), "B")  # of gzip files an estimate

    def _on_bad_text(self, error: BadText) -> None:
        """Raise the file's first bad record. None: a part began at a wrong place, and is done again in `_chain`."""
        bad = explain(self.tasks[error.file])
        if bad is not None:
            raise bad

    def _chain(self, task: Task) -> list[Receipt]:
        """The receipts of a file in order; a part that did not begin where the one before stopped is done again."""
        parts: list[Receipt] = []
        expected = task.body
        while task.compression != "plain" or len(parts) < -(-task.size // task.part_bytes):
            part = len(parts)
            receipt = self.done.receipts.get((task.file, part))
            if receipt is None or not receipt.fits(expected, (part + 1) * task.part_bytes):
                receipt = self._again(replace(task, part=part, start=expected))
            parts.append(receipt)
            expected = receipt.stop if receipt.records else expected
            if receipt.text_end >= 0 and task.compression != "plain":
                break
        return parts

    def _again(self, task: Task) -> Receipt:
        if task.compression != "plain":
            raise Bug(f"{task.name}: part {task.part} is missing after its file was read")
        try:
            (receipt,) = compute(task)
        except BadText as error:
            self._on_bad_text(error)
            raise Bug(f"{task.name}: {error}, and yet all its records can be read") from error
        return receipt

    def commit(self) -> Ref:
        """Commit the table, the manifest and the facts."""
        with self.watch.stage("facts"):
            facts = self._facts()
        self._refuse_nothing(facts)
        shards = [list(one.files.items()) for parts in self.parts for one in parts if one.rows]
        rows = [one.rows for parts in self.parts for one in parts if one.rows]
        made = profiles(str(self.plan.params["with"]))
        manifest = Manifest(
            dtype="<f4",
            dim=made.dim,
            rows=sum(rows),
            shards=tuple(_shard(files[0], n) for files, n in zip(shards, rows, strict=True)),
            halves=tuple(_shard(files[1], n) for files, n in zip(shards, rows, strict=True)),
            embedder={"name": made.name, "version": made.version, "symmetry": "strand"},
        )
        for warning in facts["warnings"]:
            self.progress.note(warning)
        return self.lake.commit(
            Change(
                name=self.plan.target,
                verb="replace",
                plan=self.plan,
                schema=READS,
                batches=table.batches(self.tasks, self.parts, _files(self.plan)),
                manifest=manifest,
                facts=facts,
            )
        )

    def _facts(self) -> dict[str, Any]:
        tally = facts_of.tally(self.tasks, self.parts)
        found = facts_of.facts(self.plan, self.kinds, self.parts, tally)
        return {
            **found,
            "parts": {"total": sum(map(len, self.parts)), "reused": self.done.reused},
            "workers": self.workers,
            "seconds": {stage: round(spent, 4) for stage, spent in self.watch.seconds.items()},
        }

    def _refuse_nothing(self, facts: Mapping[str, Any]) -> None:
        if facts["records_out"]:
            return
        dropped = ", ".join(f"{name} {n:,}" for name, n in facts["dropped"].items() if n)
        raise InvalidInput(
            f"cleaning took all of {facts['records_in']:,} reads ({dropped}); nothing was committed: "
            "lower min_length, min_mean_quality or raise max_n_share"
        )


def _task_bytes(task: Task) -> int:
    return task.size if task.part is None else min(task.part_bytes, task.size - task.part * task.part_bytes)


def _shard(entry: tuple[str, tuple[int, str]], rows: int) -> Shard:
    path, (_, digest) = entry
    return Shard(Path(path).name, rows, digest)
