"""Text for the page: what users named is made safe to show, values become short words."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

LONGEST_NAME = 80


def shown(text: object, longest: int = LONGEST_NAME) -> str:
    """`text` fit to be shown: control, format and lone surrogate characters become U+FFFD, a long one is cut.

    Escaping for HTML is left to the templates.
    """
    whole = str(text)
    if len(whole) > longest:
        whole = f"{whole[: longest // 2]}…{whole[-(longest // 2) + 1 :]}"
    # C: control, format (which could reverse the line's direction), surrogate, private, unassigned
    return "".join("\ufffd" if unicodedata.category(c).startswith("C") else c for c in whole)


def value(what: Any) -> str:
    """A parameter's value: text as it is, numbers short, the rest as JSON."""
    if what is None:
        return "not set"
    if isinstance(what, bool):
        return "yes" if what else "no"
    if isinstance(what, float):
        return f"{what:g}"
    if isinstance(what, str | int):
        return shown(what)
    return shown(json.dumps(what, ensure_ascii=False), 200)


def score(number: float | None) -> str:
    """A score between -1 and 1 with three digits; a dash where it is not defined."""
    return "–" if number is None or number != number else f"{number:.3f}"


def cluster_name(cluster: int) -> str:
    """`cluster 3`, or `unassigned` for -1."""
    return "unassigned" if cluster < 0 else f"cluster {cluster}"


def share(part: float, whole: float) -> float:
    """`part` of `whole`; 0 of nothing."""
    return float(part) / float(whole) if whole else 0.0


FLAGS = {
    "halves_disagree": (
        "Halves disagree",
        "the two halves of the read lie nearest to different clusters, so its own cluster is uncertain",
    ),
    "chimera_suspect": (
        "Chimera suspect",
        "the halves disagree and each sits well inside its own cluster, as when two molecules were read as one",
    ),
    "unassigned": (
        "Unassigned",
        "the read is too far from every cluster, or there is nothing to judge it by; it is kept, with cluster -1",
    ),
    "no_kmers": (
        "No k-mers",
        "the read has no stretch of known bases long enough to count, so it has no composition",
    ),
}

DROPPED = {
    "too_short": "too short",
    "low_quality": "mean quality too low",
    "many_n": "too many unknown bases (N)",
}
