"""The programs that can be asked for, and their parameters: names, kinds, bounds, defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isthmus.core.errors import InvalidInput
from isthmus.core.plan import Json
from isthmus.core.strict import nearest, typed

SCALES = ("auto", "self", "z", "unit", "none")


@dataclass(frozen=True)
class Facts:
    """What a program needs to know of its reads to settle its parameters."""

    rows: int
    with_kmers: int
    median_length: float
    halves: bool


@dataclass(frozen=True)
class Number:
    """A parameter that is a number from `least` to `most`; None is allowed where `default` is None."""

    kind: type
    default: float | None
    least: float
    most: float


KMEANS: Mapping[str, Number] = {
    "k": Number(int, None, 1, 1_000_000),
    "seed": Number(int, 1, 0, 2**63 - 1),
    "starts": Number(int, 10, 1, 1000),
    "dims": Number(int, 20, 1, 100_000),
    "merge_threshold": Number(float, 0.8, 0.0, 1.0),
    "merge_z": Number(float, 1.645, 0.0, 10.0),
    "outlier_ratio": Number(float, 8.0, 1.0, 1e30),
    "refinements": Number(int, 2, 0, 20),
    "tol": Number(float, 1e-4, 0.0, 1.0),
    "max_iterations": Number(int, 300, 1, 1_000_000),
}
PROGRAMS = ("kmeans",)
LONG_READS_BP = 2000  # from here on halves are long enough to learn the scaling from
START_READS_PER_CLUSTER, FEWEST, MOST = 50, 8, 64


def settle(program: str, params: Mapping[str, Json], facts: Facts, where: str) -> dict[str, Json]:
    """All parameters of `program` with concrete values.

    Args:   params: as the user gave them; facts: of the reads; where: their name, for messages.
    Raises: InvalidInput: an unknown program or parameter (with the nearest known one), a value out of bounds, more
            clusters than reads.
    """
    if program not in PROGRAMS:
        raise InvalidInput(f"program {program!r} is not known; {nearest(program, PROGRAMS)}")
    for name in params:
        if name not in KMEANS and name != "scale":
            raise InvalidInput(f"{program}: unknown parameter {name!r}; {nearest(name, [*KMEANS, 'scale'])}")
    settled: dict[str, Json] = {name: _number(params, name, one, program) for name, one in KMEANS.items()}
    settled["scale"] = settle_scale(params.get("scale", "auto"), facts, program)
    settled["k_start"] = _k_start(settled["k"], facts, where)
    return settled


def settle_scale(asked: Json, facts: Facts, program: str) -> str:
    """`auto` becomes `self` for long reads with halves, else `z`."""
    if not isinstance(asked, str) or asked not in SCALES:
        raise InvalidInput(f"{program}: scale {asked!r} is not known; {nearest(str(asked), SCALES)}")
    if asked == "self" and not facts.halves:
        raise InvalidInput(f"{program}: scale 'self' needs the halves of reads, which this product has not; use 'z'")
    if asked != "auto":
        return asked
    return "self" if facts.halves and facts.median_length >= LONG_READS_BP else "z"


def _number(params: Mapping[str, Json], name: str, one: Number, program: str) -> Any:
    value = params.get(name, one.default)
    if value is None and one.default is None:
        return None
    value = typed({name: value}, name, (int, float) if one.kind is float else int, program)
    if not one.least <= value <= one.most:
        raise InvalidInput(f"{program}: {name} must be from {one.least:g} to {one.most:g}, found {value}")
    return one.kind(value)


def _k_start(k: Json, facts: Facts, where: str) -> int:
    """Clusters that k-means begins with: `k`, or clamp(reads / 50, 8, 64) and no more than reads."""
    if facts.with_kmers < 1:
        raise InvalidInput(f"{where}: none of its {facts.rows:,} reads has a valid k-mer; there is nothing to cluster")
    if k is None:
        return min(max(facts.with_kmers // START_READS_PER_CLUSTER, FEWEST), MOST, facts.with_kmers)
    assert isinstance(k, int)  # noqa: S101  settled by _number
    if k > facts.with_kmers:
        raise InvalidInput(
            f"{k:,} clusters asked of {where}, which has {facts.with_kmers:,} reads with k-mers; "
            f"ask for at most {facts.with_kmers:,}, as in --clusters {min(facts.with_kmers, 12)}"
        )
    return k
