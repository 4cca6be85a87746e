"""The verbs that do something: run, embed, simulate, report."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from isthmus import api
from isthmus.backbone.lake import Lake
from isthmus.cli.parser import build_parser
from isthmus.cli.words import Terminal, give, give_json, say, table
from isthmus.core.errors import InvalidInput
from isthmus.core.files import human_bytes
from isthmus.core.pipeline import Pipeline, Stage, read_pipeline
from isthmus.core.plan import Json
from isthmus.core.ref import Name, Ref
from isthmus.core.units import count


def run(args: argparse.Namespace) -> None:
    """Both phases and the report."""
    pipeline = _pipeline(args)
    lake = _open(args, pipeline)
    if args.dry_run:
        return _preview_run(args, lake, pipeline)
    result = _shown(
        args,
        lambda progress: api.run(
            lake,
            pipeline,
            force=args.force,
            threads=args.settings.threads,
            mem_bytes=args.settings.mem_bytes,
            command=args.command_line,
            progress=progress,
        ),
    )
    if args.json:
        return give_json(result.as_json())
    for ref in result.clusters.values():
        give(clusters_table(lake, ref))
    _give_run(result)
    return None


def embed(args: argparse.Namespace) -> None:
    """Phase 1 alone."""
    lake = _open(args)
    words = {"into": args.into, "with_": args.with_, "cleaning": _cleaning(args), "threads": args.settings.threads}
    if args.dry_run:
        return _preview(args, [api.plan_embed(lake, args.sources, **words)])
    ref = _shown(
        args,
        lambda progress: api.embed(lake, args.sources, mem_bytes=args.settings.mem_bytes, progress=progress, **words),
    )
    return _give_ref(args, lake, ref)


def simulate(args: argparse.Namespace) -> None:
    """Phase 2 alone."""
    lake = _open(args)
    ranks = _checked_ranks(args) or args.settings.threads
    params = _params(args.params)
    if args.dry_run:
        return _preview(
            args, [api.plan_simulate(lake, args.program, args.source, into=args.into, ranks=ranks, **params)]
        )
    ref = _shown(
        args,
        lambda progress: api.simulate(
            lake,
            args.program,
            args.source,
            into=args.into,
            ranks=ranks,
            on=args.on,
            mem_bytes=args.settings.mem_bytes,
            progress=progress,
            **params,
        ),
    )
    if not args.json:
        give(clusters_table(lake, ref))
    return _give_ref(args, lake, ref)


def report(args: argparse.Namespace) -> None:
    """The page of a product of clusters."""
    lake = _open(args)
    ref = lake.resolve(args.ref)
    if args.dry_run:
        plan = {"product": str(ref), "writes": args.to}
        return give_json(plan) if args.json else say(f"would write the report of {ref} to {args.to}")
    page = api.report(lake, ref, to=args.to, truth=args.truth, command=args.command_line)
    if args.json:
        return give_json(page)
    give(f"report  {args.to}")
    return None


def clusters_table(lake: Lake, ref: Ref) -> str:
    """Sizes and composition of the clusters of `ref`, largest first."""
    facts: Any = lake.read(ref).commit.facts
    total = sum(one["bp"] for one in facts["clusters"]) or 1
    rows = [
        [
            one["cluster"],
            f"{one['reads']:,}",
            f"{one['bp'] / 1e6:,.2f}",
            f"{100 * one['bp'] / total:.1f}",
            f"{100 * one['gc']:.1f}",
            f"{one['confidence_median']:.2f}",
        ]
        for one in facts["clusters"]
    ]
    return table(["cluster", "reads", "Mbp", "share %", "GC %", "confidence"], rows)


def _give_run(result: api.RunResult) -> None:
    give("")
    if result.scores:
        give(f"truth     {_scores_text(result.scores)}")
    if headline := result.verdict.get("headline"):
        give(f"verdict   {headline}")
    give(f"reads     {result.reads}")
    for name, ref in result.clusters.items():
        give(f"{name:<9} {ref}")
    for folder in result.job_folders:
        give(f"job       {folder}")
    if result.report is not None:
        give(f"report    {result.report}")
    spent = ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in result.seconds.items())
    say(f"took {sum(result.seconds.values()):.1f} s: {spent}")


def _scores_text(scores: Mapping[str, Any]) -> str:
    """The scores that a truth file gives, each a share from 0 to 1; those that are undefined are left out."""
    named = {
        "ARI": "ari",
        "NMI": "nmi",
        "completeness": "completeness",
        "homogeneity": "homogeneity",
        "purity of bases": "purity_bases",
    }
    words = [f"{name} {scores[key]:.3f}" for name, key in named.items() if scores.get(key) is not None]
    return ", ".join([*words, f"genomes recovered {scores['genomes_recovered']} of {scores['labels']}"])


def _give_ref(args: argparse.Namespace, lake: Lake, ref: Ref) -> None:
    commit = lake.read(ref).commit
    if args.json:
        return give_json({"product": str(ref), "rows": commit.rows, "facts": dict(commit.facts)})
    give(f"{ref}  {commit.rows:,} rows")
    facts: Mapping[str, Any] = commit.facts
    for warning in facts.get("warnings", ()) if args.quiet else ():  # else the progress line has said it
        say(f"warning: {warning}")
    return None


def _shown(args: argparse.Namespace, act: Callable[[Terminal], Any]) -> Any:
    """Call `act` with a progress line that is always ended, also by an error."""
    progress = Terminal(quiet=args.quiet)
    try:
        return act(progress)
    finally:
        progress.close()


def _checked_ranks(args: argparse.Namespace) -> int | None:
    ranks: int | None = args.ranks
    if ranks is not None and ranks < 1:
        raise InvalidInput(f"--ranks {ranks}: ask for at least 1")
    return ranks


def _open(args: argparse.Namespace, pipeline: Pipeline | None = None) -> Lake:
    """The lake of the command line, else of the pipeline file, else of the settings."""
    uri, scratch = args.settings.lake, args.settings.scratch
    if pipeline is not None and pipeline.lake and not args.lake:
        uri = pipeline.lake
    if pipeline is not None and pipeline.scratch and not args.scratch:
        scratch = Path(pipeline.scratch)
    if args.dry_run:
        args.thrown_away = tempfile.TemporaryDirectory(prefix="isthmus-dry-run-")  # lives as long as the command
        return api.open_to_look(uri, scratch=args.thrown_away.name)
    return api.open(uri, scratch=scratch)


def _pipeline(args: argparse.Namespace) -> Pipeline:
    if any(word.endswith(".toml") for word in args.reads):
        if len(args.reads) > 1:
            raise InvalidInput("give one pipeline file, or reads, not both")
        _refuse_flags(args)
        return read_pipeline(Path(args.reads[0]))
    reads, clusters = Name(args.domain, "reads"), Name(args.domain, "clusters")
    params: dict[str, Json] = {"k": args.clusters, "scale": args.scale, "seed": args.seed}
    return Pipeline(
        sources=tuple(args.reads),
        into=reads,
        embed=args.with_,
        cleaning=_cleaning(args),
        stages=(Stage("clusters", "kmeans", str(reads), clusters, "local", _checked_ranks(args), params),),
        report=Path(args.report),
        truth=None if args.truth is None else Path(args.truth),
    )


def _refuse_flags(args: argparse.Namespace) -> None:
    """A flag that the pipeline file decides would be ignored, so it is an error."""

    plain = vars(build_parser().parse_args(["run", args.reads[0]]))
    in_file = (
        "clusters",
        "domain",
        "with_",
        "min_length",
        "min_quality",
        "max_n",
        "scale",
        "seed",
        "ranks",
        "truth",
        "report",
    )
    given = [name.rstrip("_") for name in in_file if getattr(args, name) != plain[name]]
    if given:
        raise InvalidInput(
            f"--{given[0].replace('_', '-')} does not go with a pipeline file: write it into {args.reads[0]}"
        )


def _cleaning(args: argparse.Namespace) -> dict[str, float]:
    return {"min_length": args.min_length, "min_mean_quality": args.min_quality, "max_n_share": args.max_n}


def _params(words: list[str]) -> dict[str, Json]:
    """`k=12` -> {"k": 12}; a value that is no JSON is a word."""
    params: dict[str, Json] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise InvalidInput(f"--set {word!r}: write KEY=VALUE, as in k=12")
        try:
            params[key] = json.loads(value)
        except ValueError:
            params[key] = value
    return params


def _preview_run(args: argparse.Namespace, lake: Lake, pipeline: Pipeline) -> None:
    first = api.plan_embed(
        lake,
        pipeline.sources,
        into=pipeline.into,
        with_=pipeline.embed,
        cleaning=pipeline.cleaning,
        threads=args.settings.threads,
    )
    previews = [first]
    if first.done is not None:
        previews += [
            api.plan_simulate(lake, one.program, first.done, into=one.into, ranks=one.ranks, **one.params)
            for one in pipeline.stages
        ]
    _preview(args, previews)
    if first.done is None and not args.json:
        for stage in pipeline.stages:
            say(f"then {stage.program} on about {first.projection.rows:,} rows into {stage.into}")


def _preview(args: argparse.Namespace, previews: list[api.Preview]) -> None:
    if args.json:
        return give_json({"plans": [_preview_json(one) for one in previews]})
    for one in previews:
        give(f"plan {one.plan.id}: {one.plan.recipe} into {one.plan.target}, {count(len(one.plan.inputs), 'input')}")
        give(f"  parameters   {json.dumps(dict(one.plan.params))}")
        give(f"  rows         about {one.projection.rows:,}")
        free = human_bytes(one.projection.free_bytes)
        give(f"  writes       about {human_bytes(one.projection.out_bytes)} ({free} free)")
        give(f"  memory       about {human_bytes(one.projection.mem_bytes)}")
        for note in one.projection.notes:
            give(f"  note         {note}")
        if one.done is not None:
            give(f"  already done: {one.done}")
    return None


def _preview_json(one: api.Preview) -> dict[str, Any]:
    return {
        "plan": one.plan.id,
        "recipe": one.plan.recipe,
        "into": str(one.plan.target),
        "params": dict(one.plan.params),
        "inputs": len(one.plan.inputs),
        "rows": one.projection.rows,
        "out_bytes": one.projection.out_bytes,
        "mem_bytes": one.projection.mem_bytes,
        "free_bytes": one.projection.free_bytes,
        "notes": list(one.projection.notes),
        "done": None if one.done is None else str(one.done),
    }
