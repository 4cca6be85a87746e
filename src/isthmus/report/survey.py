"""Everything the page needs from the lake, gathered in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.backbone.lake import Lake, Snapshot
from isthmus.core.commit import Commit
from isthmus.core.errors import Corrupt, InvalidInput
from isthmus.core.ref import Ref
from isthmus.report import known, read_map, tally
from isthmus.report.composition import TellingKmers, telling_kmers
from isthmus.report.scores import Counts, Scores, count_cells, purity_by_cut, score


@dataclass(frozen=True)
class Point:
    """One read on the map; `x` and `y` within [0, 1]."""

    id: str
    source: str
    length: int
    cluster: int
    confidence: float
    x: float
    y: float


@dataclass(frozen=True)
class Known:
    """What a truth file tells: scores, the table label x cluster that they rest on, purity at each cut-off."""

    names: tuple[str, ...]
    scores: Scores
    cells: Counts
    purity_at_cut: tuple[float, ...]
    unknown_ids: int


@dataclass(frozen=True)
class Survey:
    """What was found; the page's templates see nothing but this and what pure functions make of it."""

    commit: Commit
    reads_commit: Commit
    labels: tally.Labels
    reads: tally.Reads
    points: tuple[Point, ...]
    centres: Mapping[int, tuple[float, float]]
    kmers: TellingKmers | None
    known: Known | None

    @property
    def facts(self) -> Mapping[str, Any]:
        """Facts of the clusters' commit."""
        return self.commit.facts

    @property
    def reads_facts(self) -> Mapping[str, Any]:
        """Facts of the reads' commit, and the median quality where the reads have any."""
        facts = self.reads_commit.facts
        if not self.reads.quality.any():
            return facts
        return {**facts, "quality": {"median": tally.quantile(self.reads.quality, 0.5) / tally.QUALITY_STEPS}}


def survey(lake: Lake, clusters: Ref, truth_path: Path | None) -> Survey:
    """Read the product `clusters` and the reads it was made from.

    Cost:   8 bytes a read (28 with a truth), one batch, and some 2,000 reads for the map.
    Raises: InvalidInput: not a product of clusters, or a truth file that does not fit; NotFound; Corrupt.
    """
    found = lake.read(clusters)
    reads = lake.read(_reads_of(found))
    truth = known.Truth(truth_path) if truth_path is not None else None
    facts = found.commit.facts
    count = 1 + max((int(one["cluster"]) for one in _list(facts, "clusters")), default=-1)
    starts = _starts(found)
    labels = tally.tally_labels(found.batches(tally.label_columns(truth is not None)), starts, count, truth)
    read_counts = tally.tally_reads(reads.batches(tally.READ_COLUMNS), _starts(reads), labels)
    rows = read_map.choose(labels.of_row)
    points, places = _points(found, rows, starts)
    return Survey(
        commit=found.commit,
        reads_commit=reads.commit,
        labels=labels,
        reads=read_counts,
        points=points,
        centres=read_map.centres(places, labels.of_row[rows]),
        kmers=_kmers(reads, rows, labels.of_row[rows]),
        known=_known(labels, truth, facts),
    )


def _reads_of(clusters: Snapshot) -> Ref:
    inputs = [one for one in clusters.commit.inputs if isinstance(one, Ref)]
    if "cluster" not in clusters.schema().names or not inputs:
        raise InvalidInput(
            f"{clusters.commit.ref} does not hold cluster labels; give a product that `isthmus simulate kmeans` made"
        )
    return inputs[0]


def _starts(snapshot: Snapshot) -> tally.Ints:
    starts = tally.starts_of(snapshot.batches(["shard"]))
    rows = 0 if snapshot.manifest is None else snapshot.manifest.rows
    if starts[-1] != rows:
        raise Corrupt(f"{snapshot.commit.ref}: its table has {starts[-1]:,} rows, its array {rows:,}")
    return starts


def _points(
    clusters: Snapshot, rows: tally.Ints, starts: tally.Ints
) -> tuple[tuple[Point, ...], npt.NDArray[np.float64]]:
    """The chosen rows with their names, in order of row, and their places (n, 2)."""
    places = read_map.lay_out(clusters.array().take(rows)) if len(rows) else np.zeros((0, 2))
    found: dict[int, Point] = {}
    columns = ["id", "source", "length", "cluster", "confidence", "shard", "row_in_shard"]
    for batch in clusters.batches(columns):
        row = tally.rows_of(batch, starts)
        at = np.searchsorted(rows, row)
        mine = np.flatnonzero(np.isin(row, rows, assume_unique=True))
        for one, i in zip(batch.take(mine).to_pylist(), at[mine], strict=True):
            found[int(i)] = Point(
                one["id"], one["source"], one["length"], one["cluster"], one["confidence"], *map(float, places[i])
            )
    return tuple(found[i] for i in sorted(found)), places


def _kmers(reads: Snapshot, rows: tally.Ints, cluster: npt.NDArray[np.int32]) -> TellingKmers | None:
    if reads.manifest is None or not len(rows):
        return None
    embedder = str(reads.manifest.embedder.get("name", ""))
    return telling_kmers(reads.array().take(rows), cluster, embedder)


def _known(labels: tally.Labels, truth: known.Truth | None, facts: Mapping[str, Any]) -> Known | None:
    if truth is None or labels.truth is None or labels.confidence is None:
        return None
    unknown = truth.check()
    cuts = [float(one["confidence"]) for one in _list(facts, "cutoffs")]
    own = known.labelled(
        truth,
        labels.truth,
        labels.of_row.astype(np.int64),
        length=labels.length_of_row.astype(np.int64),
        confidence=labels.confidence,
        cuts=cuts,
    )
    cells = count_cells(own.truth, own.cluster, own.length)
    return Known(tuple(truth.names), score(own), cells, tuple(purity_by_cut(own, len(cuts))), unknown)


def _list(facts: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    return list(facts.get(key) or [])
