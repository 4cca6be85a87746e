"""The page's sections on what went in: files, cleaning, and the distributions of length, GC and quality."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from isthmus.core.units import bases, count, percent
from isthmus.report import charts, tally, words
from isthmus.report.survey import Survey
from isthmus.report.words import share

FILES_SHOWN = 12


def files(found: Survey) -> dict[str, Any]:
    """What went in, file by file; the first FILES_SHOWN open, the others folded away."""
    rows = [
        {
            "source": words.shown(one.get("source", "")),
            "sample": words.shown(one.get("sample", "")),
            "format": " ".join(
                str(one.get(key)) for key in ("format", "compression") if one.get(key) not in (None, "none", "plain")
            ),
            "bytes": int(one.get("bytes") or 0),
            "reads": int(one.get("records_in") or 0),
            "bases": int(one.get("bases_in") or 0),
            "kept": share(one.get("records_out") or 0, one.get("records_in") or 0),
        }
        for one in found.reads_facts.get("files") or []
    ]
    return {
        "open": rows[:FILES_SHOWN],
        "folded": rows[FILES_SHOWN:],
        "count": len(rows),
        "samples": len(found.labels.samples),
        "bytes": sum(row["bytes"] for row in rows),
        "reads": sum(row["reads"] for row in rows),
        "bases": sum(row["bases"] for row in rows),
    }


def cleaning(found: Survey) -> dict[str, Any]:
    """What cleaning took and why; `adds_up` is False where the counts contradict each other."""
    facts, limits = found.reads_facts, found.reads_commit.params
    came, kept = int(facts.get("records_in") or 0), int(facts.get("records_out") or 0)
    dropped = {why: int(n) for why, n in (facts.get("dropped") or {}).items()}
    rows = [
        {
            "why": words.DROPPED.get(why, why.replace("_", " ")),
            "limit": _limit(why, limits),
            "reads": n,
            "share": share(n, came),
        }
        for why, n in dropped.items()
    ]
    return {
        "came": came,
        "kept": kept,
        "kept_share": share(kept, came),
        "bases_in": int(facts.get("bases_in") or 0),
        "bases_out": int(facts.get("bases_out") or 0),
        "rows": rows,
        "lost": sum(dropped.values()),
        "adds_up": came == kept + sum(dropped.values()) and kept == int(found.labels.reads.sum()),
    }


def _limit(why: str, params: Mapping[str, Any]) -> str:
    """The limit that was set for this reason, as the plan has it; '' where it is not among the parameters."""
    nested = params.get("cleaning")
    key, unset = {
        "too_short": ("min_length", 0),
        "low_quality": ("min_mean_quality", 0),
        "many_n": ("max_n_share", 1),
    }.get(why, ("", None))
    limit = (nested if isinstance(nested, Mapping) else params).get(key)
    if not isinstance(limit, int | float):
        return ""
    if limit == unset:
        return "no limit"
    return {"too_short": f"under {bases(limit)}", "low_quality": f"under Q{limit:g}"}.get(why, f"over {percent(limit)}")


def distributions(found: Survey) -> list[charts.Histogram]:
    """Histograms of length, GC and, where there is any, mean quality."""
    shown = [_length_chart(found), _gc_chart(found), _quality_chart(found)]
    return [one for one in shown if one is not None]


def _length_chart(found: Survey) -> charts.Histogram | None:
    counts = found.labels.length_counts.sum(axis=0)
    used = np.flatnonzero(counts)
    if not len(used):
        return None
    low, high = int(used[0]), int(used[-1]) + 1
    group = max(2, -(-(high - low) // 36))
    low, high = max(0, low - group // 2), max(high, low + 8 * group)
    grouped, edges = _grouped(counts, low, high, group)
    sizes = tally.LENGTH_STEP**edges
    length = found.reads_facts.get("length") or {}
    marks = [(key, name) for key, name in (("median", "median"), ("n50", "N50")) if length.get(key)]
    titles = [f"{bases(sizes[i])} to {bases(sizes[i + 1])}: {count(n, 'read')}" for i, n in enumerate(grouped)]
    return charts.histogram(
        grouped,
        np.log10(sizes),
        name="Read length",
        axis="reads by length (log scale)",
        x_ticks=[(float(np.log10(v)), _axis_bases(v)) for v in charts.log_ticks(float(sizes[0]), float(sizes[-1]))],
        marks=[(float(np.log10(max(1, float(length[key])))), f"{name} {bases(length[key])}") for key, name in marks],
        titles=titles,
        summary=f"From {bases(length.get('min', sizes[0]))} to {bases(length.get('max', sizes[-1]))}; "
        + ", ".join(f"{name} {bases(length[key])}" for key, name in marks),
    )


def _gc_chart(found: Survey) -> charts.Histogram | None:
    counts = found.reads.gc.sum(axis=0)
    used = np.flatnonzero(counts)
    if not len(used):
        return None
    low, high = max(0, int(used[0]) - 2), min(tally.GC_BINS, int(used[-1]) + 3)
    grouped, edges = _grouped(counts, low, high, max(1, -(-(high - low) // 40)))
    low_half, middle, high_half = (tally.quantile(counts, share) for share in (0.25, 0.5, 0.75))
    return charts.histogram(
        grouped,
        edges,
        name="GC content",
        axis="reads by share of G and C (%)",
        x_ticks=[(v, f"{v:g}") for v in charts.linear_ticks(float(edges[0]), float(edges[-1]))],
        marks=[(middle, f"median {middle:.0f}\u00a0%")],
        titles=[f"{edges[i]:g} to {edges[i + 1]:g} % GC: {count(n, 'read')}" for i, n in enumerate(grouped)],
        summary=f"Half of the reads lie between {low_half:.0f} and {high_half:.0f}\u00a0%.",
    )


def _quality_chart(found: Survey) -> charts.Histogram | None:
    counts = found.reads.quality
    used = np.flatnonzero(counts)
    if not len(used):
        return None
    half = tally.QUALITY_STEPS // 2
    low, high = max(0, (int(used[0]) // half - 1) * half), int(used[-1]) + 1 + half
    grouped, bins = _grouped(counts, low, high, half * max(1, -(-(high - low) // (40 * half))))
    edges = bins / tally.QUALITY_STEPS
    middle = tally.quantile(counts, 0.5) / tally.QUALITY_STEPS
    return charts.histogram(
        grouped,
        edges,
        name="Mean quality",
        axis="reads by Phred score of their mean error",
        x_ticks=[(v, f"Q{v:g}") for v in charts.linear_ticks(float(edges[0]), float(edges[-1]))],
        marks=[(middle, f"median Q{middle:.1f}")],
        titles=[f"Q{edges[i]:g} to Q{edges[i + 1]:g}: {count(n, 'read')}" for i, n in enumerate(grouped)],
        summary=f"Median Q{middle:.1f}, about {percent(10 ** (-middle / 10))} wrong bases.",
    )


def _grouped(counts: tally.Ints, low: int, high: int, group: int) -> tuple[tally.Ints, charts.Floats]:
    """Counts of bins low .. high in groups, and the (B + 1,) edges of the groups in bins."""
    edges = np.arange(low, high + group, group)
    padded = np.concatenate([counts, np.zeros(max(0, int(edges[-1]) - len(counts)), np.int64)])
    return np.add.reduceat(padded[: edges[-1]], edges[:-1]), edges.astype(np.float64)


def _axis_bases(n: float) -> str:
    for unit, size in (("Mb", 1e6), ("kb", 1e3)):
        if n >= size:
            return f"{n / size:g}\u00a0{unit}"
    return f"{n:g}\u00a0bp"
