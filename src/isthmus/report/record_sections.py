"""The page's sections on the record: lineage, timings, parameters, versions, warnings, how to repeat it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import numpy
import sklearn

from isthmus.backbone.lake import Lake
from isthmus.core.commit import Commit
from isthmus.core.plan import FileInput
from isthmus.core.ref import Ref
from isthmus.core.version import VERSION
from isthmus.report import words
from isthmus.report.survey import Survey

FILES_SHOWN = 12


def lineage(lake: Lake, ref: Ref) -> list[dict[str, Any]]:
    """What `ref` was made from, step by step back to the raw files; each product once, the newest step first."""
    waiting, seen, steps = [ref], {ref}, []
    while waiting:
        commit = lake.read(waiting.pop(0)).commit
        files = [one for one in commit.inputs if isinstance(one, FileInput)]
        parents = [one for one in commit.inputs if isinstance(one, Ref)]
        waiting += [one for one in parents if one not in seen]
        seen.update(parents)
        steps.append(_step(commit, files, parents))
    return steps


def _step(commit: Commit, files: list[FileInput], parents: list[Ref]) -> dict[str, Any]:
    shown = [
        {"source": words.shown(one.source), "size": one.size, "hash": one.xxh3_128, "sample": words.shown(one.sample)}
        for one in files
    ]
    return {
        "ref": str(commit.ref),
        "recipe": commit.recipe,
        "plan": commit.plan,
        "rows": commit.rows,
        "when": commit.when[:19].replace("T", " ") + " UTC",
        "who": words.shown(commit.who),
        "code": commit.code,
        "parents": [str(one) for one in parents],
        "files": shown[:FILES_SHOWN],
        "folded": shown[FILES_SHOWN:],
    }


def record(found: Survey, *, command: str, seconds: Mapping[str, float]) -> dict[str, Any]:
    """Parameters, timings, versions and warnings of both commits, and the command."""
    reads, clusters = found.reads_facts, found.facts
    return {
        "command": words.shown(command, 4000),
        "ref": str(found.commit.ref),
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
        *((f"{words.shown(name)}, clustering", words.value(what)) for name, what in own.items()),
        ("isthmus, this page", VERSION),
        ("Python, this page", platform.python_version()),
        ("numpy, this page", numpy.__version__),
        ("scikit-learn, this page", sklearn.__version__),
    ]
