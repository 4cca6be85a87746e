"""Every sentence the system understands, once: what the command line, a notebook and a web page all call.

from isthmus import api
lake = api.open("isthmus-lake")
reads = api.embed(lake, ["reads.fastq.gz"], into="gut.reads", with_="kernel:4")
clusters = api.simulate(lake, "kmeans", reads, into="gut.clusters", k=12, ranks=4)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isthmus import assembly
from isthmus.backbone.export import export as write_export
from isthmus.backbone.lake import Lake
from isthmus.backbone.lineage import Node, in_order, upstream
from isthmus.backbone.support import Verdict, what_reads_support
from isthmus.backbone.targets import check_target
from isthmus.backbone.truth import read_truth
from isthmus.core import machine
from isthmus.core.clock import Stopwatch
from isthmus.core.errors import InvalidInput, NotFound
from isthmus.core.pipeline import Pipeline, Stage
from isthmus.core.plan import FileInput, Input, Json, Plan, Projection
from isthmus.core.progress import Progress, Silent
from isthmus.core.ref import Name, Ref
from isthmus.core.settings import Settings
from isthmus.core.units import count
from isthmus.doctor import Finding, examine
from isthmus.prepare import embedding, sources
from isthmus.prepare.bins import BinsSummary, write_bins
from isthmus.prepare.cleaning import Cleaning
from isthmus.prepare.enough import count_kept
from isthmus.simulate import simulation


@dataclass(frozen=True)
class Preview:
    """What a command would do: its plan, and the projected rows, bytes and memory."""

    plan: Plan
    projection: Projection
    done: Ref | None


@dataclass(frozen=True)
class RunResult:
    """What `run` made. `clusters` has one Ref for each simulate stage, in order."""

    reads: Ref
    clusters: Mapping[str, Ref]
    report: Path | None
    rows: int
    verdict: Mapping[str, Any]
    scores: Mapping[str, Any] | None
    job_folders: tuple[str, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The object that `isthmus run --json` prints."""
        return {
            "products": {"reads": str(self.reads), **{name: str(ref) for name, ref in self.clusters.items()}},
            "report": None if self.report is None else str(self.report),
            "rows": self.rows,
            "verdict": dict(self.verdict),
            "scores": None if self.scores is None else dict(self.scores),
            "jobs": list(self.job_folders),
            "seconds": {stage: round(spent, 3) for stage, spent in self.seconds.items()},
        }


def open(uri: str | Path = "isthmus-lake", *, scratch: str | Path | None = None, create: bool = True) -> Lake:
    """Open the lake at `uri`, a folder; with `create`, make it where there is none.

    Raises: InvalidInput: the folder holds something else, or a lake of another version.
    """
    return assembly.open_lake(uri, scratch=None if scratch is None else Path(scratch), create=create)


def open_to_look(uri: str | Path, *, scratch: str | Path) -> Lake:
    """The lake at `uri` as a dry run needs it: what is there is read, and nothing is made there.

    Args: scratch: a folder that the caller throws away; fingerprints and spooled standard input go there.
    """
    try:
        found = assembly.open_lake(uri, create=False)
    except NotFound:
        return Lake(Path(uri).expanduser().absolute(), Path(scratch))
    return Lake(found.root, Path(scratch))


def plan_embed(
    lake: Lake,
    words: Sequence[str | Path],
    *,
    into: str | Name = "default.reads",
    with_: str = "kernel:4",
    cleaning: Mapping[str, float] | None = None,
    threads: int | None = None,
) -> Preview:
    """Find the files behind `words` (paths, globs, `-`), hash them, and say what embedding them would take."""
    files = sources.find_sources(
        [str(word) for word in words], spool=lake.scratch / "spool", cache=lake.scratch / "cache"
    )
    plan = embedding.make_plan(files, into=_name(into), with_=with_, cleaning=Cleaning(**_cleaning(cleaning)))
    projection = embedding.project(plan, lake, workers=threads or machine.usable_cpus())
    return Preview(plan, projection, lake.find(plan.target, plan.id))


def embed(
    lake: Lake,
    words: Sequence[str | Path],
    *,
    into: str | Name = "default.reads",
    with_: str = "kernel:4",
    cleaning: Mapping[str, float] | None = None,
    threads: int | None = None,
    mem_bytes: int | None = None,
    progress: Progress | None = None,
) -> Ref:
    """Phase 1: clean and embed reads into a product of (N, D) float32 rows; the same call again returns the same Ref.

    Args:    words: paths, globs or `-`; with_: `kernel:4` or `kmer:3` .. `kmer:6`;
             cleaning: any of min_length (bases), min_mean_quality (Phred), max_n_share (0 .. 1).
    Returns: the Ref of the version that holds the reads.
    Raises:  InvalidInput, BadRecord, NotFound, WontFit, Conflict.
    """
    preview = plan_embed(lake, words, into=into, with_=with_, cleaning=cleaning, threads=threads)
    return _embed(preview.plan, lake, threads=threads, mem_bytes=mem_bytes, progress=progress)


def plan_simulate(
    lake: Lake, program: str, source: str | Ref, *, into: str | Name, ranks: int | None = None, **params: Json
) -> Preview:
    """What running `program` on the product `source` would take; `auto` parameters become concrete in the plan."""
    plan = simulation.make_plan(program, _ref(lake, source), lake, into=_name(into), params=params)
    projection = simulation.project(plan, lake, ranks=ranks or machine.usable_cpus())
    return Preview(plan, projection, lake.find(plan.target, plan.id))


def simulate(
    lake: Lake,
    program: str,
    source: str | Ref,
    *,
    into: str | Name,
    ranks: int | None = None,
    on: str = "local",
    mem_bytes: int | None = None,
    progress: Progress | None = None,
    **params: Json,
) -> Ref:
    """Phase 2: run a rank program on the product `source` and commit what it finds as the product `into`.

    Args:    program: `kmeans`; params: the program's own, e.g. k, scale, seed; on: the scheduler's name.
    Returns: the Ref of the labels. The same plan gives the same Ref, on any number of ranks.
    Raises:  InvalidInput, NotFound, JobFailed, WontFit.
    """
    preview = plan_simulate(lake, program, source, into=into, ranks=ranks, **params)
    scheduler = assembly.open_scheduler(on)
    return simulation.simulate(
        preview.plan,
        lake,
        scheduler,
        ranks=ranks or machine.usable_cpus(),
        mem_bytes=mem_bytes,
        progress=progress or Silent(),
    )


def report(
    lake: Lake,
    clusters: str | Ref,
    *,
    to: str | Path,
    truth: str | Path | None = None,
    command: str = "",
    seconds: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Write the page of `clusters` to the file `to`; with a truth file (columns id, label) also its scores.

    Raises: Corrupt where a stored file is not what was committed; InvalidInput for a target or truth of no use.
    """
    ref = _ref(lake, clusters)
    check_target(Path(to), "html", _raw_files(lake, ref))
    for one in (ref, *(one for one in lake.read(ref).commit.inputs if isinstance(one, Ref))):
        lake.verify(one, ("table", "shards"))
    write = assembly.open_report_writer()
    return write(
        lake,
        ref,
        to=Path(to),
        truth=None if truth is None else Path(truth),
        command=command,
        seconds=seconds or {},
    )


def export_bins(lake: Lake, clusters: str | Ref, to: str | Path, *, progress: Progress | None = None) -> BinsSummary:
    """Stream the original records, unchanged, into one file per cluster under the new folder `to`."""
    return write_bins(lake, _ref(lake, clusters), Path(to), progress=progress or Silent())


def export(lake: Lake, ref: str | Ref, to: str | Path, *, form: str = "csv", truth: str | Path | None = None) -> int:
    """Write one version to the file `to` as `csv`, `parquet` or `npy`, and return its rows; `truth` adds a column."""
    labels, found = None if truth is None else read_truth(Path(truth)), _ref(lake, ref)
    check_target(Path(to), form, _raw_files(lake, found))
    return write_export(lake, found, form=form, to=Path(to), truth=labels)


def lineage(lake: Lake, ref: str | Ref) -> Node:
    """The tree of everything that `ref` was made of, down to raw files and their checksums."""
    return upstream(_ref(lake, ref), lambda one: lake.read(one).commit)


def doctor(settings: Settings) -> list[Finding]:
    """Check settings, machine, kernels, MPI and the lake's checksums."""
    return examine(settings)


def run(
    lake: Lake,
    pipeline: Pipeline,
    *,
    force: bool = False,
    threads: int | None = None,
    mem_bytes: int | None = None,
    command: str = "",
    progress: Progress | None = None,
) -> RunResult:
    """Both phases and the report. Interrupted at any point, the same call goes on where it stopped.

    Raises: InvalidInput: also where the reads are too short for composition to tell organisms apart and not `force`.
    """
    told = progress or Silent()
    watch = Stopwatch()
    if pipeline.truth is not None:
        read_truth(pipeline.truth)  # a missing or broken file is said before hours of work, not after
    with watch.stage("plan"):
        preview = plan_embed(
            lake,
            pipeline.sources,
            into=pipeline.into,
            with_=pipeline.embed,
            cleaning=pipeline.cleaning,
            threads=threads,
        )
    if pipeline.report is not None:
        check_target(pipeline.report, "html", preview.plan.inputs)
    if preview.done is None:
        _check_enough(preview.plan, pipeline, lake)
    with watch.stage("phase 1"):
        reads = _embed(preview.plan, lake, threads=threads, mem_bytes=mem_bytes, progress=told)
    verdict = what_reads_support(lake.read(reads).commit.facts)
    if not verdict.ok and not force:
        raise InvalidInput(_refusal(reads, verdict))
    with watch.stage("phase 2"):
        made = {one.name: _run_stage(lake, one, reads, threads, mem_bytes, told) for one in pipeline.stages}
    page = _run_report(lake, pipeline, list(made.values())[-1], command, watch, told)
    facts = [lake.read(ref).commit.facts for ref in made.values()]
    return RunResult(
        reads=reads,
        clusters=made,
        report=pipeline.report,
        rows=lake.read(reads).commit.rows,
        verdict=page["verdict"],
        scores=page["scores"],
        job_folders=tuple(str(one["job_folder"]) for one in facts if "job_folder" in one),
        seconds=watch.seconds,
    )


def _embed(plan: Plan, lake: Lake, *, threads: int | None, mem_bytes: int | None, progress: Progress | None) -> Ref:
    return embedding.embed(
        plan,
        lake,
        workers=threads or machine.usable_cpus(),
        mem_bytes=mem_bytes or machine.usable_memory_bytes() * 8 // 10,
        progress=progress or Silent(),
    )


def _run_stage(
    lake: Lake, stage: Stage, reads: Ref, threads: int | None, mem_bytes: int | None, progress: Progress
) -> Ref:
    """Run one stage; a source that names the product just made means exactly the version just made."""
    source: str | Ref = reads if stage.source == str(reads.name) else stage.source
    return simulate(
        lake,
        stage.program,
        source,
        into=stage.into,
        ranks=stage.ranks or threads,
        on=stage.on,
        mem_bytes=mem_bytes,
        progress=progress,
        **stage.params,
    )


def _run_report(
    lake: Lake, pipeline: Pipeline, clusters: Ref, command: str, watch: Stopwatch, progress: Progress
) -> dict[str, Any]:
    if pipeline.report is None:
        return {"verdict": {}, "scores": None}
    progress.update("report", 0, 1, "page")
    with watch.stage("report"):
        page = report(
            lake, clusters, to=pipeline.report, truth=pipeline.truth, command=command, seconds=dict(watch.seconds)
        )
    progress.update("report", 1, 1, "page")
    return page


def _raw_files(lake: Lake, ref: Ref) -> list[Input]:
    """The raw files that a version was made from."""
    return [node.what for node in in_order(lineage(lake, ref)) if isinstance(node.what, FileInput)]


def _check_enough(plan: Plan, pipeline: Pipeline, lake: Lake) -> None:
    """More clusters than reads is said before the reads are committed."""
    for stage in pipeline.stages:
        k = stage.params.get("k")
        if not isinstance(k, int) or stage.source != str(pipeline.into):
            continue
        found = count_kept(plan, lake, at_most=k)
        if found < k:
            raise InvalidInput(
                f"{k:,} clusters asked of {count(found, 'read')} that cleaning keeps; ask for at most {found:,}, "
                f"as in --clusters {min(found, 12)}"
                if found
                else f"{k:,} clusters asked, and cleaning keeps no read with a k-mer; look at the cleaning limits"
            )


def _refusal(reads: Ref, verdict: Verdict) -> str:
    return f"{verdict.headline} The reads are kept as {reads}; to cluster them all the same, add --force."


def _cleaning(words: Mapping[str, float] | None) -> dict[str, Any]:
    given = dict(words or {})
    if "min_length" in given:
        given["min_length"] = int(given["min_length"])
    return given


def _name(text: str | Name) -> Name:
    return text if isinstance(text, Name) else Name.parse(text)


def _ref(lake: Lake, source: str | Ref) -> Ref:
    return source if isinstance(source, Ref) else lake.resolve(source)
