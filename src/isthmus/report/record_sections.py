"""The page's sections on the record: lineage, timings, parameters, versions, warnings, how to repeat it."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping
from typing import Any

import numpy
import sklearn

from isthmus.backbone.lake import Lake
from isthmus.backbone.lineage import Node, in_order, upstream
from isthmus.core.plan import FileInput
from isthmus.core.ref import Ref
from isthmus.core.version import VERSION
from isthmus.report import words
from isthmus.report.survey import Survey

FILES_SHOWN = 12


def lineage(lake: Lake, ref: Ref) -> list[dict[str, Any]]:
    """What `ref` was made from, step by step back to the raw files; each version once, the newest step first."""
    nodes = in_order(upstream(ref, lambda one: lake.read(one).commit))
    return [_step(node, node.what) for node in reversed(nodes) if isinstance(node.what, Ref)]


def _step(node: Node, ref: Ref) -> dict[str, Any]:
    commit = node.commit
    inputs = () if commit is None else commit.inputs
    files = [
        {"source": words.shown(one.source), "size": one.size, "hash": one.xxh3_128}
        for one in inputs
        if isinstance(one, FileInput)
    ]
    return {
        "ref": str(ref),
        "known": commit is not None,
        "recipe": "" if commit is None else commit.recipe,
        "plan": "" if commit is None else commit.plan,
        "rows": 0 if commit is None else commit.rows,
        "when": "" if commit is None else commit.when[:19].replace("T", " ") + " UTC",
        "who": "" if commit is None else words.shown(commit.who),
        "code": "" if commit is None else commit.code,
        "parents": [str(one.what) for one in node.inputs if isinstance(one.what, Ref)],
        "files": files[:FILES_SHOWN],
        "folded": files[FILES_SHOWN:],
    }


def record(found: Survey, *, command: str, seconds: Mapping[str, float], lake: str) -> dict[str, Any]:
    """Parameters, timings, versions and warnings of both commits, and the command."""
    reads, clusters = found.reads_facts, found.facts
    return {
        "command": words.shown(command, 4000),
        "ref": str(found.commit.ref),
        "lake": shlex.quote(words.shown(lake, 4000)),
        "parameters": [
            {
                "of": str(commit.recipe),
                "rows": [(words.shown(key), words.value(what)) for key, what in _flat(commit.params)],
            }
            for commit in (found.reads_commit, found.commit)
        ],
        "timings": [
            {"of": name, "rows": _timings(spent)}
            for name, spent in (
                ("this run", seconds),
                ("preparation", reads.get("seconds")),
                ("clustering", clusters.get("seconds")),
            )
            if _timings(spent)
        ],
        "cpu_seconds": reads.get("cpu_seconds"),
        "workers": reads.get("workers"),
        "ranks": clusters.get("ranks"),
        "parts": reads.get("parts"),
        "versions": _versions(found),
        "warnings": [
            words.shown(one, 400) for one in [*(reads.get("warnings") or []), *(clusters.get("warnings") or [])]
        ],
        "job_folder": words.shown(clusters.get("job_folder") or "", 200),
        "program": clusters.get("program") or "",
    }


def _flat(params: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Parameters by name; those of a table inside as `table.name`."""
    flat: list[tuple[str, Any]] = []
    for key, what in sorted(params.items()):
        if isinstance(what, Mapping):
            flat += [(f"{key}.{inner}", one) for inner, one in sorted(what.items())]
        else:
            flat.append((key, what))
    return flat


def _timings(spent: Any) -> list[tuple[str, float]]:
    if not isinstance(spent, Mapping):
        return []
    return [(words.shown(stage), float(s)) for stage, s in spent.items() if isinstance(s, int | float)]


def _versions(found: Survey) -> list[tuple[str, str]]:
    own = found.facts.get("versions") or {}
    return [
        ("isthmus, preparation", found.reads_commit.code),
        ("isthmus, clustering", found.commit.code),
        *((f"{words.shown(name)}, clustering", words.value(what)) for name, what in own.items() if name != "isthmus"),
        ("isthmus, this page", VERSION),
        ("Python, this page", platform.python_version()),
        ("numpy, this page", numpy.__version__),
        ("scikit-learn, this page", sklearn.__version__),
    ]
