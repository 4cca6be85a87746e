"""Pipeline files: `isthmus run pipeline.toml`, read strictly into a frozen description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isthmus.core.errors import InvalidInput
from isthmus.core.plan import Json
from isthmus.core.ref import Name
from isthmus.core.strict import read_toml, refuse_unknown, typed

_CLEAN: dict[str, type | tuple[type, ...]] = {
    "min_length": int,
    "min_mean_quality": (int, float),
    "max_n_share": (int, float),
}


@dataclass(frozen=True)
class Stage:
    """One `[simulate.NAME]` table; `params` are the program's own keys, unchecked here."""

    name: str
    program: str
    source: str
    into: Name
    on: str
    ranks: int | None
    params: Mapping[str, Json]


@dataclass(frozen=True)
class Pipeline:
    """Both phases and the report; paths of a file are resolved against the folder that it lies in."""

    sources: tuple[str, ...]
    into: Name
    embed: str
    stages: tuple[Stage, ...]
    lake: str | None = None
    scratch: str | None = None
    cleaning: Mapping[str, float] = field(default_factory=dict)
    report: Path | None = None
    truth: Path | None = None


def read_pipeline(path: Path) -> Pipeline:
    """Read a pipeline file. Raises InvalidInput naming table and key; unknown keys with the nearest known one."""
    document = read_toml(path)
    refuse_unknown(document, ("lake", "prepare", "simulate", "report"), str(path))
    lake = _table(document, "lake", ("uri", "scratch"), path)
    prepare = _table(document, "prepare", ("sources", "into", "embed", "clean"), path)
    report = _table(document, "report", ("to", "truth"), path)
    into = Name.parse(typed(prepare, "into", str, f"{path}: [prepare]", "default.reads"))
    return Pipeline(
        sources=_sources(prepare, path),
        into=into,
        embed=typed(prepare, "embed", str, f"{path}: [prepare]", "kernel:4"),
        stages=_stages(document, into, path),
        lake=_located(path, typed(lake, "uri", str, f"{path}: [lake]")),
        scratch=_located(path, typed(lake, "scratch", str, f"{path}: [lake]")),
        cleaning=_cleaning(prepare, path),
        report=_beside(path, typed(report, "to", str, f"{path}: [report]")),
        truth=_beside(path, typed(report, "truth", str, f"{path}: [report]")),
    )


def _table(document: Mapping[str, Any], name: str, known: tuple[str, ...], path: Path) -> Mapping[str, Any]:
    table: Mapping[str, Any] = typed(document, name, dict, str(path), {})
    refuse_unknown(table, known, f"{path}: [{name}]")
    return table


def _sources(prepare: Mapping[str, Any], path: Path) -> tuple[str, ...]:
    words = typed(prepare, "sources", list, f"{path}: [prepare]", [])
    if not words or not all(isinstance(word, str) for word in words):
        raise InvalidInput(
            f'{path}: [prepare]: sources must list at least one path or glob, as in ["reads/*.fastq.gz"]'
        )
    return tuple(word if word == "-" else str(_beside(path, word)) for word in words)


def _cleaning(prepare: Mapping[str, Any], path: Path) -> dict[str, float]:
    where = f"{path}: [prepare.clean]"
    table = typed(prepare, "clean", dict, f"{path}: [prepare]", {})
    refuse_unknown(table, _CLEAN, where)
    return {key: typed(table, key, _CLEAN[key], where) for key in table}


def _stages(document: Mapping[str, Any], reads: Name, path: Path) -> tuple[Stage, ...]:
    tables = typed(document, "simulate", dict, str(path), {})
    if not tables:
        raise InvalidInput(
            f'{path}: no [simulate.NAME] table; add one, as in [simulate.clusters] with program = "kmeans"'
        )
    return tuple(_stage(name, table, reads, f"{path}: [simulate.{name}]") for name, table in tables.items())


def _stage(name: str, table: Any, reads: Name, where: str) -> Stage:
    if not isinstance(table, dict):
        raise InvalidInput(f"{where}: must be a table")
    own = ("program", "from", "into", "on", "ranks")
    program = typed(table, "program", str, where)
    if program is None:
        raise InvalidInput(f'{where}: program is missing, as in program = "kmeans"')
    return Stage(
        name=name,
        program=program,
        source=typed(table, "from", str, where, str(reads)),
        into=Name.parse(typed(table, "into", str, where, f"{reads.domain}.{name}")),
        on=typed(table, "on", str, where, "local"),
        ranks=typed(table, "ranks", int, where),
        params={key: value for key, value in table.items() if key not in own},
    )


def _beside(path: Path, word: str | None) -> Path | None:
    return None if word is None else path.parent / Path(word).expanduser()


def _located(path: Path, uri: str | None) -> str | None:
    return uri if uri is None or "://" in uri else str(_beside(path, uri))
