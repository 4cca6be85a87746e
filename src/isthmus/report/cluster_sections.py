"""The page's sections on the clusters: first numbers, map, sizes, composition, pairs, confidence, flags, samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from isthmus.backbone.support import mean_agreement
from isthmus.core.units import bases, count, percent
from isthmus.report import charts, tally, words
from isthmus.report.palette import NO_CLUSTER, SHAPES, mark_of
from isthmus.report.survey import Survey
from isthmus.report.words import share

SAMPLES_SHOWN = 12
MAP_SIZE = 720.0
MAP_EDGE = 30.0


def tiles(found: Survey) -> list[dict[str, Any]]:
    """The few numbers that come first; each with a line that says what it is."""
    reads, labels = found.reads_facts, found.labels
    total, length = int(labels.reads.sum()), reads.get("length") or {}
    agree = mean_agreement(found.facts.get("clusters") or [])
    shown = [
        ("Clusters", count(int((labels.reads[:-1] > 0).sum())), _how_many(found)),
        ("Reads clustered", count(total), f"of {count(int(reads.get('records_in', total)))} that came in"),
        ("Bases", bases(int(labels.bases.sum())), f"of {bases(int(reads.get('bases_in', 0)))} that came in"),
        ("Median read length", bases(length.get("median", 0)), f"N50 {bases(length.get('n50', 0))}"),
        ("Reads with a cluster", percent(1 - share(int(labels.reads[-1]), total)), "the others are flagged, not lost"),
        ("Halves agree", percent(agree), "reads whose two halves fall into the same cluster"),
    ]
    if _alone(found):
        shown.pop()  # halves have no other cluster to fall into
    if found.known is not None:
        one = found.known.scores
        shown.insert(
            1, ("Genomes recovered", f"{one.genomes_recovered} of {one.labels}", "≥ 90 % of bases, ≥ 95 % pure")
        )
        shown.insert(2, ("Adjusted Rand index", words.score(one.ari), "against the truth; 1 is perfect, 0 is chance"))
    return [{"name": name, "value": value, "note": note} for name, value, note in shown]


def _alone(found: Survey) -> bool:
    """Whether no more than one cluster has reads, so that agreement and confidence say nothing."""
    return int((found.labels.reads[:-1] > 0).sum()) < 2


def _how_many(found: Survey) -> str:
    facts = found.facts
    if facts.get("k_asked") is not None:
        return "as many as were asked for"
    start = facts.get("k_start")
    return (
        "" if start is None else f"{count(int(start))} at the start, {count(len(facts.get('merges') or []), 'merge')}"
    )


def read_map(found: Survey) -> dict[str, Any]:
    """Points by cluster, the centres' labels, and how many reads are drawn of how many."""
    span = MAP_SIZE - 2 * MAP_EDGE

    def place(x: float, y: float) -> tuple[float, float]:
        return round(MAP_EDGE + x * span, 1), round(MAP_EDGE + (1 - y) * span, 1)

    ordered = sorted(found.points, key=lambda one: one.cluster)
    groups = [
        {
            "cluster": cluster,
            "points": [
                {
                    "at": place(one.x, one.y),
                    "title": f"{words.shown(one.id, 60)} · {bases(one.length)} · {words.cluster_name(cluster)}"
                    f" · confidence {one.confidence:.2f}",
                }
                for one in members
            ],
        }
        for cluster, members in groupby(ordered, key=lambda one: one.cluster)
    ]
    heights = [y for group in groups for _, y in (point["at"] for point in group["points"])]
    top, bottom = min(heights, default=0.0) - MAP_EDGE, max(heights, default=MAP_EDGE) + MAP_EDGE
    return {
        "groups": groups,
        "legend": sorted(groups, key=lambda group: (group["cluster"] < 0, group["cluster"])),
        "box": f"0 {top:.0f} {MAP_SIZE:.0f} {max(bottom - top, 2 * MAP_EDGE):.0f}",
        "labels": [{"cluster": c, "at": place(x, y)} for c, (x, y) in sorted(found.centres.items())],
        "drawn": len(found.points),
        "of": int(found.labels.reads.sum()),
    }


def clusters(found: Survey) -> list[dict[str, Any]]:
    """One row for each cluster, and a last one for reads without."""
    labels = found.labels
    facts = {int(one["cluster"]): one for one in found.facts.get("clusters") or []}
    total_reads, total_bases = int(labels.reads.sum()), int(labels.bases.sum())
    rows = []
    for i in range(labels.clusters + 1):
        own = facts.get(i, {})
        if i == labels.clusters and not labels.reads[i]:
            continue
        rows.append(
            {
                "cluster": i if i < labels.clusters else -1,
                "reads": int(labels.reads[i]),
                "bases": int(labels.bases[i]),
                "reads_share": share(labels.reads[i], total_reads),
                "bases_share": share(labels.bases[i], total_bases),
                "gc": own.get("gc"),
                "median_length": tally.median_length(labels.length_counts[i], labels.length_sums[i]),
                "confidence": own.get("confidence_median"),
                "halves_agree": own.get("halves_agree"),
            }
        )
    widest = max((row["bases_share"] for row in rows), default=0.0)
    return [{**row, "bar": share(row["bases_share"], widest)} for row in rows]


def composition(found: Survey) -> dict[str, Any]:
    """The GC of each cluster as a small distribution on one shared axis, and the most telling k-mers."""
    counts = found.reads.gc
    used = np.flatnonzero(counts.sum(axis=0))
    low = max(0, int(used[0]) - 1) if len(used) else 0
    high = min(tally.GC_BINS, int(used[-1]) + 2) if len(used) else tally.GC_BINS
    ridges = [
        {
            "cluster": i if i < found.labels.clusters else -1,
            "path": charts.ridge(counts[i], low, high),
            "median": tally.quantile(counts[i], 0.5),
        }
        for i in range(len(counts))
        if counts[i].any()
    ]
    ticks = [((v - low) / (high - low) * charts.RIDGE_WIDTH, f"{v:g}") for v in charts.linear_ticks(low, high, 4)]
    return {"ridges": ridges, "ticks": ticks, "kmers": _kmers(found)}


def _kmers(found: Survey) -> dict[str, Any] | None:
    if found.kmers is None:
        return None
    strongest = float(np.abs(found.kmers.z).max()) or 1.0
    rows = [
        {
            "cluster": cluster,
            "cells": [
                {
                    "z": f"{z:+.1f}".replace("-", "−"),
                    "level": charts.level(z, strongest),
                    "sign": "up" if z > 0 else "down",
                }
                for z in line
            ],
        }
        for cluster, line in zip(found.kmers.clusters, found.kmers.z, strict=True)
    ]
    return {"kmers": found.kmers.kmers, "rows": rows, "reads": found.kmers.reads}


def pairs(found: Survey) -> dict[str, Any]:
    """Cluster pairs that stayed apart though hardly, and what was merged before."""
    facts = found.facts
    threshold = facts.get("merge_threshold")
    return {
        "threshold": threshold,
        "rows": [
            {"a": int(one["a"]), "b": int(one["b"]), "kept": float(one["kept_share"]), "bound": one.get("kept_bound")}
            for one in sorted(facts.get("pairs") or [], key=_surely_kept)[:20]
        ],
        "merges": [
            {"kept": float(one["kept_share"]), "left": one.get("clusters")} for one in facts.get("merges") or []
        ],
        "k_start": facts.get("k_start"),
    }


def _surely_kept(pair: Mapping[str, Any]) -> float:
    """The lower bound that decides on merging; the share itself for products of before it was kept."""
    bound = pair.get("kept_bound")
    return float(pair["kept_share"] if bound is None else bound)


def confidence(found: Survey) -> dict[str, Any] | None:
    """What is left, and how well it holds, as the cut-off on confidence rises; None where nothing is to choose."""
    cuts = list(found.facts.get("cutoffs") or [])
    if not cuts or _alone(found):
        return None
    xs = [float(one["confidence"]) for one in cuts]
    series: list[tuple[str, Sequence[float | None]]] = [
        ("reads kept", [one.get("reads_share") for one in cuts]),
        ("bases kept", [one.get("bp_share") for one in cuts]),
        ("halves agree", [one.get("halves_agree") for one in cuts]),
        ("purity (bases)", list(found.known.purity_at_cut) if found.known else [None] * len(cuts)),
    ]
    lines = [
        charts.line(
            name, i, xs, ys, [f"{name} at confidence ≥ {x:g}: {percent(y)}" for x, y in zip(xs, ys, strict=True)]
        )
        for i, (name, ys) in enumerate(series)
    ]
    x_ticks, y_ticks = charts.unit_ticks()
    return {
        "lines": [one for one in lines if one is not None],
        "x_ticks": x_ticks,
        "y_ticks": y_ticks,
        "names": [name for name, ys in series if any(y is not None for y in ys)],
        "rows": [
            {"cut": x, "shares": [percent(ys[i]) for _, ys in series if any(y is not None for y in ys)]}
            for i, x in enumerate(xs)
        ],
    }


def flags(found: Survey) -> list[dict[str, Any]]:
    """Each flag with its meaning and how many reads carry it."""
    total_reads, total_bases = int(found.labels.reads.sum()), int(found.labels.bases.sum())
    counted = tally.flag_counts(found.labels)
    return [
        {
            "name": name,
            "why": why,
            "column": key,
            "reads": counted[key][0],
            "reads_share": share(counted[key][0], total_reads),
            "bases_share": share(counted[key][1], total_bases),
        }
        for key, (name, why) in words.FLAGS.items()
    ]


def abundance(found: Survey) -> dict[str, Any] | None:
    """Share of each sample's bases by cluster; None with one sample. The samples with most bases first."""
    labels = found.labels
    if len(labels.samples) < 2:
        return None
    rows: list[dict[str, Any]] = []
    for name, i in labels.samples.items():
        own = labels.sample_bases[i]
        total = int(own.sum())
        cells = [share(n, total) for n in own]
        rows.append(
            {
                "sample": words.shown(name, 40),
                "reads": int(labels.sample_reads[i].sum()),
                "bases": total,
                "cells": [{"share": share, "level": charts.level(share, 1.0)} for share in cells],
            }
        )
    rows.sort(key=lambda row: (-row["bases"], row["sample"]))
    columns = [*range(labels.clusters), -1] if labels.reads[-1] else list(range(labels.clusters))
    return {"columns": columns, "open": rows[:SAMPLES_SHOWN], "folded": rows[SAMPLES_SHOWN:], "count": len(rows)}


def marks(cluster: int) -> dict[str, Any]:
    """Colour class, symbol and shape name of a cluster's mark."""
    mark = mark_of(cluster)
    shape = NO_CLUSTER[0] if mark.shape < 0 else SHAPES[mark.shape][0]
    return {
        "colour": "n" if mark.colour < 0 else str(mark.colour),
        "symbol": "n" if mark.shape < 0 else str(mark.shape),
        "shape": shape,
        "name": words.cluster_name(cluster),
    }
