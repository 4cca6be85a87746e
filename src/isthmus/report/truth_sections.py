"""The page's section on a known truth: scores, genomes, and the confusion of labels and clusters."""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus.core.units import count, percent
from isthmus.report import charts, words
from isthmus.report.survey import Known, Survey
from isthmus.report.words import share

LABELS_SHOWN = 40


def truth(found: Survey) -> dict[str, Any] | None:
    """Scores, genomes and the confusion of truth and clusters (bases); None without a truth."""
    if found.known is None:
        return None
    one = found.known.scores
    numbers = [
        (
            "Genomes recovered",
            f"{one.genomes_recovered} of {one.labels}",
            "one cluster holds ≥ 90 % of its bases, ≥ 95 % pure",
        ),
        ("Adjusted Rand index", words.score(one.ari), "agreement of pairs of reads; 1 is perfect, 0 is chance"),
        ("NMI", words.score(one.nmi), "normalised mutual information; 1 is perfect"),
        ("Homogeneity", words.score(one.homogeneity), "1 where each cluster holds one label only"),
        ("Completeness", words.score(one.completeness), "1 where each label lies in one cluster only"),
        ("Purity, by bases", percent(one.purity_bases), "bases that belong to the main label of their cluster"),
        ("Purity, by reads", percent(one.purity_reads), "reads that belong to the main label of their cluster"),
        ("Reads with a known origin", count(one.reads), f"of {count(int(found.labels.reads.sum()))}"),
        ("Ids of no read here", count(found.known.unknown_ids), "in the truth file; dropped, or of other reads"),
        ("Of these in a cluster", percent(one.assigned_reads), f"{percent(one.assigned_bases)} of their bases"),
    ]
    return {
        "numbers": [{"name": name, "value": value, "note": note} for name, value, note in numbers],
        "genomes": one.genomes,
        "confusion": _confusion(found.known, found.labels.clusters),
    }


def _confusion(known: Known, clusters: int) -> dict[str, Any]:
    """Rows are the labels with most bases, columns the clusters; a cell is the share of the label's bases."""
    cells, genomes = known.cells, known.scores.genomes
    width = clusters + 1
    number = {name: i for i, name in enumerate(known.names)}
    rows = []
    for genome in genomes[:LABELS_SHOWN]:
        own = cells.truth == number[genome.label]
        line = np.zeros(width, np.int64)
        line[np.where(cells.cluster[own] < 0, width - 1, cells.cluster[own])] = cells.bases[own]
        shares = [share(int(n), genome.bases) for n in line]
        rows.append(
            {
                "label": words.shown(genome.label, 40),
                "bases": genome.bases,
                "cells": [{"share": share, "level": charts.level(share, 1.0)} for share in shares],
            }
        )
    # a last column only where a read has no cluster
    columns = [*range(clusters), *([-1] if (cells.cluster < 0).any() else [])]
    return {"columns": columns, "rows": rows, "left_out": max(0, len(genomes) - LABELS_SHOWN)}
