"""The rank program `kmeans`: python -m mpi4py -m isthmus.simulate.programs.kmeans <job folder>.

Reads request.json, maps its own rows, scales them, clusters them and writes labels; rank 0 writes result.json last.
The outputs have the same bytes on any number of ranks.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.backbone.arrays import ArrayView, HalvesView
from isthmus.core.clock import Stopwatch
from isthmus.core.errors import InvalidInput
from isthmus.kernels.cluster import I32, I64, BlockMaths, block_maths
from isthmus.simulate.programs import labels as judging
from isthmus.simulate.programs import rank
from isthmus.simulate.programs.centres import form_of, squared_distances
from isthmus.simulate.programs.checkpoint import Checkpoint
from isthmus.simulate.programs.exact import F32, F64
from isthmus.simulate.programs.learning import Inputs, learn, scaled_halves, scaled_rows
from isthmus.simulate.programs.lloyd import Lloyd, Starts
from isthmus.simulate.programs.merging import (
    Clusters,
    Halves,
    Merge,
    drop_empty,
    kept_counts,
    kept_shares,
    list_pairs,
    merge_pair,
    merge_until,
)
from isthmus.simulate.programs.outputs import OutFile
from isthmus.simulate.programs.results import Results
from isthmus.simulate.programs.rows import RawRows, Rows, gather_facts, padded_mask
from isthmus.simulate.programs.scaling import Scaling
from isthmus.simulate.programs.seeding import Seeding
from isthmus.simulate.programs.world import World
from isthmus.simulate.request import BLOCK_ROWS, ArrayInput, Request

MOST_PAIRS = 50


@dataclass(frozen=True)
class Found:
    """What the clustering came to, before the labels are judged: labels (rows + padding,) and the final clusters."""

    labels: I32
    clusters: Clusters
    starts: Starts
    shares: F64 | None
    k_start: int


class KMeans:
    """One run of the program on this rank; every method is called by all ranks alike."""

    def __init__(self, request: Request, folder: Path, world: World) -> None:
        self._request, self._folder, self._world = request, folder, world
        self._params: dict[str, Any] = dict(request.params)
        self._maths: BlockMaths = block_maths()
        self._told = rank.Told(folder, world)
        self._watch = Stopwatch()

    def run(self) -> None:
        """From request to result.json."""
        with self._watch.stage("scale"):
            self._told.update("scale", 0, 1, "pass")
            flags, lengths = self._columns()
            inputs = self._inputs(flags)
            scaling = learn(self._params["scale"], inputs, self._world, dim=int(self._params["dims"]))
            rows = gather_facts(
                scaled_rows(scaling, inputs), inputs.valid, first_row=self._mine.first_row, rows=self._mine.rows,
                world=self._world,
            )  # fmt: skip
            coords = scaled_halves(scaling, inputs)
            halves = None if coords is None else Halves(coords, inputs.both)
        checkpoint = rank.open_checkpoint(self._request, self._world)
        found = self._cluster(rows, halves, checkpoint)
        with self._watch.stage("label"):
            found = self._renumbered(found, lengths)
            confidence, bits = self._judge(found, rows, halves)
        self._write(found, rows, scaling, confidence, bits)

    @property
    def _x(self) -> ArrayInput:
        return self._request.inputs["x"]

    @property
    def _mine(self) -> Any:
        return self._x.ranks[self._world.rank]

    def _columns(self) -> tuple[I32, I32]:
        """ReadFlag bits and lengths of this rank's reads."""
        lo, hi = self._mine.first_row, self._mine.first_row + self._mine.rows
        columns = self._request.columns
        flags = np.load(self._folder / columns["flags"], mmap_mode="r", allow_pickle=False)[lo:hi]
        lengths = np.load(self._folder / columns["length"], mmap_mode="r", allow_pickle=False)[lo:hi]
        return np.asarray(flags), np.asarray(lengths)

    def _inputs(self, flags: I32) -> Inputs:
        x, first, count = self._x, self._mine.first_row, self._mine.rows
        view = ArrayView([(Path(one.path), one.rows) for one in x.shards], x.dim, dtype=x.dtype)
        raw = RawRows(view.between, first, count, x.dim)
        halves = None
        if "halves" in self._request.inputs:
            array = self._request.inputs["halves"]
            both = HalvesView([(Path(one.path), one.rows) for one in array.shards], x.dim, dtype=array.dtype)
            halves = (
                RawRows(lambda lo, hi: both.between(lo, hi)[0], first, count, x.dim),
                RawRows(lambda lo, hi: both.between(lo, hi)[1], first, count, x.dim),
            )
        return Inputs(
            raw,
            halves,
            padded_mask(judging.rows_with_kmers(flags), raw.n_blocks),
            padded_mask(judging.rows_with_halves(flags), raw.n_blocks),
            n_blocks=-(-x.rows // BLOCK_ROWS),
        )

    def _cluster(self, rows: Rows, halves: Halves | None, checkpoint: Checkpoint) -> Found:
        """Seed, iterate and, where K is not known, merge; from the checkpoint where there is one."""
        k = int(self._params["k"] or self._params["k_start"])
        if rows.n_valid < k:
            raise InvalidInput(f"{k} clusters asked of {rows.n_valid:,} reads with k-mers; ask for fewer")
        lloyd = Lloyd(
            rows, self._maths, self._world,
            tol=float(self._params["tol"]), max_iterations=int(self._params["max_iterations"]),
        )  # fmt: skip
        starts = self._iterate(lloyd, self._seed(rows, k, checkpoint), checkpoint)
        with self._watch.stage("merge"):
            labels, clusters = lloyd.clusters_of(starts, starts.best)
            clusters = drop_empty(labels, clusters)
            if halves is None:
                return Found(labels, clusters, starts, None, k)
            return self._merge(Found(labels, clusters, starts, None, k), rows, halves, checkpoint)

    def _seed(self, rows: Rows, k: int, checkpoint: Checkpoint) -> Starts:
        saved = checkpoint.state_of("lloyd") or checkpoint.state_of("merge")
        if saved is not None:
            return Starts(**{name: saved[name] for name in Starts.__dataclass_fields__})
        with self._watch.stage("seed"):
            seeding = Seeding(
                rows, self._maths, self._world,
                k=k, starts=int(self._params["starts"]), seed=int(self._params["seed"]),
            )  # fmt: skip
            begun = checkpoint.state_of("seed")

            def save(chosen: F64) -> None:
                self._told.update("seed", chosen.shape[1], k, "centre")
                checkpoint.save("seed", {"chosen": chosen})

            return Starts.at(seeding.run(None if begun is None else begun["chosen"], save))

    def _iterate(self, lloyd: Lloyd, starts: Starts, checkpoint: Checkpoint) -> Starts:
        with self._watch.stage("lloyd"):

            def save(state: Starts) -> None:
                self._told.update("lloyd", int(state.done.sum()), len(state.done), "start")
                checkpoint.save("lloyd", vars(state), now=bool(state.done.all()))

            return lloyd.run(starts, save)

    def _merge(self, found: Found, rows: Rows, halves: Halves, checkpoint: Checkpoint) -> Found:
        """Merge while K is unknown; with K given only the kept shares are taken."""

        def judge(labels: I32, centres: F64) -> I64:
            return kept_counts(labels, halves, centres, rows, self._maths, self._world)

        if self._params["k"] is not None:
            shares = kept_shares(judge(found.labels, found.clusters.centres))
            return Found(found.labels, found.clusters, found.starts, shares, found.k_start)
        clusters = found.clusters
        saved = checkpoint.state_of("merge")
        for a, b, share in [] if saved is None else saved["merges"].tolist():
            clusters = merge_pair(found.labels, clusters, Merge(int(a), int(b), float(share)))

        def save(state: Clusters) -> None:
            self._told.update("merge", len(state.merges), None, "merge")
            merges = np.array([[one.a, one.b, one.kept_share] for one in state.merges])
            checkpoint.save("merge", {**vars(found.starts), "merges": merges})

        threshold = float(self._params["merge_threshold"])
        clusters, shares = merge_until(threshold, found.labels, clusters, judge=judge, save=save)
        return Found(found.labels, clusters, found.starts, shares, found.k_start)

    def _renumbered(self, found: Found, lengths: I32) -> Found:
        """Clusters numbered by falling bases."""
        k = len(found.clusters.counts)
        own = found.labels[: len(lengths)]
        bases = self._world.total(judging.bases_by_cluster(own, lengths, k))
        order = judging.order_by_bases(bases, found.clusters.counts.astype(np.int64))
        clusters = Clusters(found.clusters.sums[order], found.clusters.counts[order], found.clusters.merges)
        shares = None if found.shares is None else found.shares[np.ix_(order, order)]
        return Found(judging.renumber(found.labels, order), clusters, found.starts, shares, found.k_start)

    def _judge(self, found: Found, rows: Rows, halves: Halves | None) -> tuple[F32, I32]:
        """Confidence (rows + padding,) float32 and LabelFlag bits int32."""
        form = form_of(found.clusters.centres, rows.mean)
        confidence = np.zeros(len(rows.coords), np.float32)
        bits = judging.unassigned(rows.valid)
        for block in rows.blocks():
            scores = form.scores(rows.coords[block])
            near = judging.confidence_of(squared_distances(scores, form.bias, rows.norms[block]))
            confidence[block] = near * rows.valid[block]
            if halves is not None:
                first, second = halves.coords[0, block], halves.coords[1, block]
                bits[block] |= judging.judge_halves(form, first, second, rows.mean) * halves.valid[block]
        return confidence, bits

    def _write(self, found: Found, rows: Rows, scaling: Scaling, confidence: F32, bits: I32) -> None:
        """All outputs, and result.json last."""
        out = self._folder / self._request.outputs
        total, mine = self._x.rows, self._mine
        results = Results(self._request, self._folder, self._world)
        with self._watch.stage("write"):
            results.rows("labels", [OutFile(out / "labels.npy", 0, total, "<i4")], found.labels[: mine.rows])
            results.rows("confidence", [OutFile(out / "confidence.npy", 0, total, "<f4")], confidence[: mine.rows])
            results.rows("flags", [OutFile(out / "flags.npy", 0, total, "<i4")], bits[: mine.rows])
            ends = np.cumsum([0, *(shard.rows for shard in self._x.shards)]).tolist()
            shards = [
                OutFile(out / f"part-{i:05d}.npy", ends[i], shard.rows, "<f4", (rows.dim,))
                for i, shard in enumerate(self._x.shards)
            ]
            results.rows("coords", shards, rows.coords[: mine.rows])
            results.small("scaling_mean", out / "scaling_mean.npy", scaling.mean)
            results.small("scaling_matrix", out / "scaling_matrix.npy", scaling.matrix)
            results.small("centres", out / "centres.npy", found.clusters.centres)
        results.finish(self._statistics(found, rows, scaling), self._watch.seconds)

    def _statistics(self, found: Found, rows: Rows, scaling: Scaling) -> dict[str, Any]:
        starts, merges = found.starts, found.clusters.merges
        n = found.k_start
        clusters_before = [n_after + 1 for n_after in range(len(found.clusters.counts) + len(merges) - 1, 0, -1)]
        return {
            "k_start": n,
            "k": len(found.clusters.counts),
            "dim": rows.dim,
            "rows_clustered": rows.n_valid,
            "unit_length": scaling.unit,
            "used": ["x"] if found.shares is None else ["x", "halves"],
            "best_start": starts.best,
            "inertia": float(starts.inertia[starts.best]),
            "inertias": starts.inertia.tolist(),
            "iterations": starts.iterations.tolist(),
            "merges": [
                {"kept_share": one.kept_share, "clusters": before - 1}
                for one, before in zip(merges, clusters_before, strict=False)
            ],
            "pairs": []
            if found.shares is None
            else [{"a": a, "b": b, "kept_share": share} for a, b, share in list_pairs(found.shares, most=MOST_PAIRS)],
        }


if __name__ == "__main__":
    rank.main(KMeans, Path(sys.argv[1]))
