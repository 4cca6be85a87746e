"""Settings: where each comes from, in order flag, environment, isthmus.toml, user's file, built in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isthmus.core import machine
from isthmus.core.files import human_bytes
from isthmus.core.strict import parse_count, parse_size, read_toml, refuse_unknown, typed

FILE_NAME = "isthmus.toml"
_KNOWN = {"lake": ("uri", "scratch"), "resources": ("threads", "memory")}
_KEYS = {
    "lake": ("lake", "uri"),
    "scratch": ("lake", "scratch"),
    "threads": ("resources", "threads"),
    "memory": ("resources", "memory"),
}


@dataclass(frozen=True)
class Setting:
    """One setting as text and the place it came from, for `isthmus doctor`."""

    name: str
    value: str
    origin: str


@dataclass(frozen=True)
class Settings:
    """What a command works with: `threads` cores and `mem_bytes` of memory at most."""

    lake: str
    scratch: Path | None
    threads: int
    mem_bytes: int
    origins: tuple[Setting, ...]


def load(flags: Mapping[str, str | None], environ: Mapping[str, str], cwd: Path, home: Path) -> Settings:
    """Settle every setting.

    Args:   flags: `lake`, `scratch`, `threads`, `memory` as typed, None where absent.
    Raises: InvalidInput: a value that cannot be read, with its origin; unknown keys of the files.
    """
    layers = [("command line", dict(flags)), ("environment", _from_environment(environ)), *_from_files(cwd, home)]
    found = {name: _first(name, layers) for name in _KEYS}
    lake = found["lake"] or ("isthmus-lake", "built in")
    threads = (
        parse_count(found["threads"][0], f"threads ({found['threads'][1]})")
        if found["threads"]
        else machine.usable_cpus()
    )
    memory = parse_size(found["memory"][0], f"memory ({found['memory'][1]})") if found["memory"] else _default_memory()
    scratch = found["scratch"]
    return Settings(
        lake=lake[0],
        scratch=Path(scratch[0]) if scratch else None,
        threads=threads,
        mem_bytes=memory,
        origins=(
            Setting("lake", lake[0], lake[1]),
            Setting("scratch", scratch[0] if scratch else "inside the lake", scratch[1] if scratch else "built in"),
            Setting(
                "threads",
                str(threads),
                found["threads"][1] if found["threads"] else "affinity, cgroup, SLURM_CPUS_PER_TASK",
            ),
            Setting(
                "memory", human_bytes(memory), found["memory"][1] if found["memory"] else "80 % of what is available"
            ),
        ),
    )


def _default_memory() -> int:
    return machine.usable_memory_bytes() * 8 // 10


def _first(name: str, layers: list[tuple[str, dict[str, str | None]]]) -> tuple[str, str] | None:
    for origin, layer in layers:
        value = layer.get(name)
        if value:
            return value, origin
    return None


def _from_environment(environ: Mapping[str, str]) -> dict[str, str | None]:
    return {name: environ.get(f"ISTHMUS_{name.upper()}") for name in _KEYS}


def _from_files(cwd: Path, home: Path) -> list[tuple[str, dict[str, str | None]]]:
    """`isthmus.toml` found upwards from `cwd`, then the user's own file, each as (path, settings)."""
    upwards = [folder / FILE_NAME for folder in (cwd, *cwd.parents)]
    found = [path for path in upwards if path.is_file()][:1]
    found += [path for path in [home / ".config" / "isthmus" / FILE_NAME] if path.is_file()]
    return [(str(path), _read_file(path)) for path in found]


def _read_file(path: Path) -> dict[str, str | None]:
    document = read_toml(path)
    refuse_unknown(document, _KNOWN, str(path))
    tables: dict[str, Mapping[str, Any]] = {}
    for name, keys in _KNOWN.items():
        tables[name] = typed(document, name, dict, str(path), {})
        refuse_unknown(tables[name], keys, f"{path}: [{name}]")
    values: dict[str, str | None] = {}
    for setting, (table, key) in _KEYS.items():
        value = typed(tables[table], key, (str, int), f"{path}: [{table}]")
        values[setting] = None if value is None else _beside(path, setting, str(value))
    return values


def _beside(path: Path, setting: str, value: str) -> str:
    """A relative folder in a settings file is meant from where that file lies."""
    if setting in ("lake", "scratch") and "://" not in value:
        return str(path.parent / Path(value).expanduser())
    return value
