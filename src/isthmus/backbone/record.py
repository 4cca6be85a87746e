"""The record of a commit as the metadata of a Delta commit: JSON texts under keys `isthmus.*`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from isthmus.backbone.rows import TableFile
from isthmus.core.commit import Commit
from isthmus.core.errors import Corrupt
from isthmus.core.plan import FileInput, Input
from isthmus.core.ref import Name, Ref

_PREFIX = "isthmus."


@dataclass(frozen=True)
class Record:
    """A commit and what only the lake needs to know about it.

    Args:
        manifest: path of the array's manifest relative to the product's folder, None without an array.
        tables:   the Parquet files that this commit added, in order.
        attempt:  who made it: tells a writer whether a commit of its plan is its own.
    """

    commit: Commit
    manifest: str | None
    tables: tuple[TableFile, ...]
    attempt: str


def encode(record: Record) -> dict[str, str]:
    """The metadata of a Delta commit; its version is not among them, the log gives it."""
    commit = record.commit
    facts: dict[str, Any] = {
        "verb": commit.verb,
        "plan": commit.plan,
        "recipe": commit.recipe,
        "params": dict(commit.params),
        "inputs": [_encode_input(one) for one in commit.inputs],
        "facts": dict(commit.facts),
        "code": commit.code,
        "who": commit.who,
        "when": commit.when,
        "rows": commit.rows,
        "manifest": record.manifest,
        "tables": [asdict(table) for table in record.tables],
        "attempt": record.attempt,
    }
    return {_PREFIX + key: json.dumps(value, allow_nan=False) for key, value in facts.items()}


def decode(info: Mapping[str, Any], ref: Ref) -> Record:
    """Read what `encode` wrote. Raises Corrupt for a version that isthmus did not commit."""
    try:
        facts = {key[len(_PREFIX) :]: json.loads(text) for key, text in info.items() if key.startswith(_PREFIX)}
        commit = Commit(
            ref=ref,
            verb=facts["verb"],
            plan=facts["plan"],
            recipe=facts["recipe"],
            inputs=tuple(_decode_input(one) for one in facts["inputs"]),
            code=facts["code"],
            who=facts["who"],
            when=facts["when"],
            rows=facts["rows"],
            params=facts["params"],
            facts=facts["facts"],
        )
        tables = tuple(TableFile(**table) for table in facts["tables"])
        return Record(commit, facts["manifest"], tables, facts["attempt"])
    except (KeyError, TypeError, ValueError) as error:
        raise Corrupt(
            f"{ref}: found a Delta commit without isthmus' own record ({error!r}); expected plan, inputs and manifest; "
            "another program wrote to this table: restore it from a copy"
        ) from error


def _encode_input(one: Input) -> dict[str, Any]:
    return {"ref": str(one)} if isinstance(one, Ref) else {"file": asdict(one)}


def _decode_input(value: Mapping[str, Any]) -> Input:
    if "ref" in value:
        name, _, version = value["ref"].rpartition("@")
        return Name.parse(name).at(int(version))
    return FileInput(**value["file"])
