"""The verbs that look: ls, show, log, lineage, export, doctor."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isthmus import api
from isthmus.backbone.lake import Lake
from isthmus.backbone.lineage import Node
from isthmus.cli.words import Terminal, give, give_json, say, table
from isthmus.core.commit import Commit
from isthmus.core.errors import InvalidInput
from isthmus.core.files import human_bytes
from isthmus.core.plan import FileInput
from isthmus.core.units import count
from isthmus.prepare.bins import BinsSummary

_FORMATS = {".csv": "csv", ".parquet": "parquet", ".npy": "npy"}


def ls(args: argparse.Namespace) -> None:
    """Every product with its newest version."""
    lake = _open(args)
    newest = [lake.history(name)[0] for name in lake.names()]
    if args.json:
        return give_json({"products": [_commit_json(one) for one in newest]})
    if not newest:
        return say(f"{lake.root}: no products yet; make one with: isthmus run READS...")
    give(
        table(
            ["product", "rows", "made by", "when (UTC)"],
            [[str(c.ref), f"{c.rows:,}", c.recipe, c.when[:19]] for c in newest],
        )
    )
    return None


def show(args: argparse.Namespace) -> None:
    """One version: its commit, its array, its first rows."""
    lake = _open(args)
    ref = lake.resolve(args.ref)
    lake.verify(ref, ("table",))
    snapshot = lake.read(ref)
    manifest = snapshot.manifest
    if args.json:
        array = None if manifest is None else {"rows": manifest.rows, "dim": manifest.dim, "dtype": manifest.dtype}
        return give_json({**_commit_json(snapshot.commit), "array": array, "columns": _columns(snapshot)})
    give(_commit_text(snapshot.commit))
    if manifest is not None:
        size = human_bytes(manifest.rows * manifest.dim * 4)
        shards = count(len(manifest.shards), "shard")
        give(f"array     {manifest.rows:,} x {manifest.dim} {manifest.dtype}, {size} in {shards}")
    give("columns   " + ", ".join(f"{name} {kind}" for name, kind in _columns(snapshot).items()))
    head = next((batch.slice(0, 5) for batch in snapshot.batches() if batch.num_rows), None)
    if head is not None:
        rows = [[_cell(value) for value in row.values()] for row in head.to_pylist()]
        give("")
        give(table(head.schema.names, rows))
    return None


def log(args: argparse.Namespace) -> None:
    """All versions of a product, newest first."""
    lake = _open(args)
    history = lake.history(lake.resolve(args.ref).name)
    if args.json:
        return give_json({"versions": [_commit_json(one) for one in history]})
    rows = [[str(c.ref), c.verb, f"{c.rows:,}", c.recipe, c.plan[:12], c.who, c.when[:19]] for c in history]
    give(table(["version", "verb", "rows", "made by", "plan", "who", "when (UTC)"], rows))
    return None


def lineage(args: argparse.Namespace) -> None:
    """What a version was made from, back to the raw files."""
    lake = _open(args)
    root = api.lineage(lake, args.ref)
    if args.json:
        return give_json(_node_json(root))
    for line in _node_lines(root, 0):
        give(line)
    return None


def export(args: argparse.Namespace) -> None:
    """A version as a file, or its reads as one file per cluster."""
    lake = _open(args)
    ref = lake.resolve(args.ref)
    to = Path("/dev/stdout") if args.to == "-" else Path(args.to)
    if args.dry_run:
        plan = {"product": str(ref), "writes": args.to, "as": "bins" if args.bins else _form(args, to)}
        return give_json(plan) if args.json else say(f"would write {ref} as {plan['as']} to {args.to}")
    if args.bins:
        if args.truth:
            raise InvalidInput("--truth goes with --format csv or parquet, not with --bins")
        progress = Terminal(quiet=args.quiet or args.json)
        try:
            summary = api.export_bins(lake, ref, to, progress=progress)
        finally:
            progress.close()
        return give_json(dataclasses.asdict(summary)) if args.json else _give_bins(summary)
    form = _form(args, to)
    rows = api.export(lake, ref, to, form=form, truth=args.truth)
    if args.json:
        return give_json({"product": str(ref), "format": form, "rows": rows, "path": str(to)})
    words = f"{args.to}  {count(rows, 'row')} of {ref} as {form}"
    return say(words) if args.to == "-" else give(words)


def _give_bins(summary: BinsSummary) -> None:
    give(f"bins        {summary.bins} in {summary.folder}")
    give(f"reads       {summary.reads:,}, of which {summary.unassigned_reads:,} unassigned")
    give(f"bases       {summary.bases:,} bp, of which {summary.unassigned_bases:,} bp unassigned")
    give(f"beside them {', '.join(name for name in summary.files if name.endswith('.tsv'))}")


def doctor(args: argparse.Namespace) -> None:
    """Settings with their origins, the machine, MPI, and every stored byte of the lake."""
    findings = api.doctor(args.settings)
    bad = [one for one in findings if not one.ok]
    if args.json:
        plain = [{"what": f.what, "found": f.found, "origin": f.origin, "ok": f.ok} for f in findings]
        give_json({"ok": not bad, "findings": plain})
    else:
        give(
            table(
                ["", "what", "found", "from"], [["ok" if f.ok else "BAD", f.what, f.found, f.origin] for f in findings]
            )
        )
    if bad:
        raise bad[0].error or InvalidInput(f"{bad[0].what}: {bad[0].found}")


def _node_lines(node: Node, depth: int) -> Iterator[str]:
    """The tree, indented: what each thing is, and how it was made."""
    if isinstance(node.what, FileInput):
        text = f"{node.what.source}  {human_bytes(node.what.size)}, xxh3-128 {node.what.xxh3_128}"
    elif node.commit is None:
        text = f"{node.what}  (its record is gone)"
    else:
        made = node.commit
        text = f"{node.what}  {made.recipe} {json.dumps(dict(made.params))}, {made.rows:,} rows, {made.when[:19]} UTC"
    yield "  " * depth + text + ("  (see above)" if node.repeats else "")
    for one in node.inputs:
        yield from _node_lines(one, depth + 1)


def _node_json(node: Node) -> dict[str, Any]:
    what = dataclasses.asdict(node.what) if isinstance(node.what, FileInput) else str(node.what)
    commit = None if node.commit is None else _commit_json(node.commit)
    return {"what": what, "commit": commit, "inputs": [_node_json(one) for one in node.inputs]}


def _form(args: argparse.Namespace, to: Path) -> str:
    """The format asked for, else that of the path's ending; CSV where it has none."""
    if args.format or to.suffix in _FORMATS:
        return str(args.format or _FORMATS[to.suffix])
    if to.suffix:
        raise InvalidInput(f"{to}: the ending {to.suffix} is no known format; say --format csv, parquet or npy")
    return "csv"


def _open(args: argparse.Namespace) -> Lake:
    return api.open(args.settings.lake, scratch=args.settings.scratch, create=False)


def _columns(snapshot: Any) -> dict[str, str]:
    return {field.name: str(field.type) for field in snapshot.schema()}


def _cell(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 32 else text[:31] + "…"


def _commit_text(commit: Commit) -> str:
    inputs = [f"{i.source} ({human_bytes(i.size)})" if isinstance(i, FileInput) else str(i) for i in commit.inputs]
    more = f" and {len(inputs) - 4} more" if len(inputs) > 4 else ""
    return "\n".join(
        [
            f"product   {commit.ref}",
            f"rows      {commit.rows:,} ({commit.verb})",
            f"made by   {commit.recipe}, plan {commit.plan}",
            f"inputs    {', '.join(inputs[:4])}{more}",
            f"params    {json.dumps(dict(commit.params))}",
            f"when      {commit.when} by {commit.who}, isthmus {commit.code}",
        ]
    )


def _commit_json(commit: Commit) -> dict[str, Any]:
    inputs = [dataclasses.asdict(one) if isinstance(one, FileInput) else str(one) for one in commit.inputs]
    return {
        "product": str(commit.ref),
        "verb": commit.verb,
        "rows": commit.rows,
        "plan": commit.plan,
        "recipe": commit.recipe,
        "inputs": inputs,
        "params": dict(commit.params),
        "facts": dict(commit.facts),
        "who": commit.who,
        "when": commit.when,
        "code": commit.code,
    }
