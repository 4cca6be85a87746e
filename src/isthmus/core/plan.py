"""Plans: frozen descriptions of work, whose id is a hash of what the result depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from isthmus.core.ref import Name, Ref

type_json = str | int | float | bool | None
Json = type_json | list["Json"] | Mapping[str, "Json"]


@dataclass(frozen=True)
class FileInput:
    """A raw file as the plan saw it.

    Args:
        source:   the path as the user named it (`-` for standard input); stands in the column `source`.
        path:     the absolute path where it was read (for `-`: the spooled copy); not part of the plan id.
        size:     bytes on disk.
        xxh3_128: hex digest of its bytes.
        sample:   the sample it belongs to; stands in the column `sample`.
    """

    source: str
    path: str
    size: int
    xxh3_128: str
    sample: str


Input = Ref | FileInput


@dataclass(frozen=True)
class Projection:
    """What a plan is expected to take and give; an estimate, made before any work."""

    rows: int
    out_bytes: int
    mem_bytes: int
    free_bytes: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Recipe, parameters, target and inputs: the same plan is the same work and the same bytes.

    The id does not depend on code version, engine, ranks or resources.
    """

    recipe: str
    recipe_version: int
    target: Name
    inputs: tuple[Input, ...]
    params: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "params", MappingProxyType(dict(self.params)))

    @property
    def id(self) -> str:
        """32 hexadecimal digits; stable over processes, machines and Python versions."""
        facts = {
            "recipe": [self.recipe, self.recipe_version],
            "target": str(self.target),
            "params": dict(self.params),
            "inputs": [_fingerprint(one) for one in self.inputs],
        }
        text = json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def _fingerprint(one: Input) -> list[str]:
    if isinstance(one, Ref):
        return ["ref", str(one)]
    return ["file", one.source, one.sample, one.xxh3_128]
