"""Commits: the record of one atomic change to one product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from isthmus.core.plan import Input, Json
from isthmus.core.ref import Ref


@dataclass(frozen=True)
class Commit:
    """One atomic change as the lake's log has it.

    Args:
        ref:     the version that it made.
        verb:    `replace` (the version holds only these rows) or `append` (these rows added to the last version).
        plan:    id of the plan that it carries out.
        recipe:  name and integer version of the recipe, e.g. `embed/1`.
        inputs:  Refs and raw files that went in.
        params:  the plan's parameters.
        facts:   what the work found (counts, timings); small, JSON.
        code:    version of isthmus that wrote it.
        who:     user and host, `ada@node7`.
        when:    UTC, ISO 8601.
    """

    ref: Ref
    verb: str
    plan: str
    recipe: str
    inputs: tuple[Input, ...]
    code: str
    who: str
    when: str
    rows: int
    params: Mapping[str, Json] = field(default_factory=dict)
    facts: Mapping[str, Json] = field(default_factory=dict)
