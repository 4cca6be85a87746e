"""The rank program `kmeans`: python -m mpi4py -m isthmus.simulate.programs.kmeans <job folder>.

Reads request.json, maps its own rows, scales them, clusters them and writes labels; rank 0 writes result.json last.
The outputs have the same bytes on any number of ranks.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from isthmus.backbone.arrays import ArrayView, HalvesView
from isthmus.core.clock import Stopwatch
from isthmus.kernels.cluster import I32, block_maths
from isthmus.simulate.programs import labels as judging
from isthmus.simulate.programs import rank
from isthmus.simulate.programs.centres import form_of
from isthmus.simulate.programs.clusters import Clusters, clusters_in
from isthmus.simulate.programs.exact import F32
from isthmus.simulate.programs.learning import Inputs, learn, within_clusters
from isthmus.simulate.programs.merging import Kept, list_pairs
from isthmus.simulate.programs.outputs import OutFile
from isthmus.simulate.programs.passes import Found, Pass, Tools, saved_scaling
from isthmus.simulate.programs.results import Results
from isthmus.simulate.programs.rows import RawRows, padded_mask
from isthmus.simulate.programs.scaling import Scaling, refined
from isthmus.simulate.programs.spaces import Space, open_space
from isthmus.simulate.programs.strangers import strangers
from isthmus.simulate.programs.world import World
from isthmus.simulate.request import BLOCK_ROWS, ArrayInput, Request

MOST_PAIRS = 50


class KMeans:
    """One run of the program on this rank; every method is called by all ranks alike."""

    def __init__(self, request: Request, folder: Path, world: World) -> None:
        self._request, self._folder, self._world = request, folder, world
        self._params: dict[str, Any] = dict(request.params)
        self._watch = Stopwatch()
        checkpoint = rank.open_checkpoint(request, world)
        self._tools = Tools(block_maths(), world, checkpoint, rank.Told(folder, world), self._watch)
        self._mine = self._x.ranks[world.rank]

    def run(self) -> None:
        """From request to result.json."""
        with self._watch.stage("scale"):
            self._tools.told.update("scaling", 0, 1, "pass")
            flags, lengths = self._columns()
            inputs = self._inputs(flags)
        number, space, found = self._passes(inputs)
        with self._watch.stage("label"):
            found = self._renumbered(self._without_strangers(found, space, lengths), lengths)
            centres = clusters_in(space.rows, found.labels, len(found.clusters.counts), self._world).centres
            confidence, bits = self._judge(found, space, form_of(centres, space.rows.mean))
        self._write(found, space, centres, confidence, bits, number)

    @property
    def _x(self) -> ArrayInput:
        return self._request.inputs["x"]

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

    def _passes(self, inputs: Inputs) -> tuple[int, Space, Found]:
        """Cluster; with K unknown and scale self, whiten by what is left within the clusters, and cluster again.

        Returns: the number of the last pass, its space and what it found.
        """
        name = str(self._params["scale"])
        saved = saved_scaling(self._tools.checkpoint, name, unit=name in ("self", "unit"))
        number, scaling = saved or (0, self._learned(name, inputs))
        resumed = saved is not None
        while True:
            with self._watch.stage("scale"):
                space = open_space(scaling, inputs, self._world)
            found = Pass(number, space, self._params, self._tools).run(resumed=resumed)
            if not self._goes_on(found, number):
                return number, space, found
            with self._watch.stage("scale"):
                within = within_clusters(space.flat, found.labels, found.clusters, self._world)
                better = refined(scaling, within)
                scaling = replace(better, matrix=self._world.share(better.matrix))
            number, resumed = number + 1, False

    def _learned(self, name: str, inputs: Inputs) -> Scaling:
        with self._watch.stage("scale"):
            return learn(name, inputs, self._world, dim=int(self._params["dims"]))

    def _goes_on(self, found: Found, number: int) -> bool:
        unknown = self._params["k"] is None and self._params["scale"] == "self"
        return unknown and number < int(self._params["refinements"]) and len(found.clusters.counts) > 1

    def _without_strangers(self, found: Found, space: Space, lengths: I32) -> Found:
        """Reads that fit no cluster are left without one, where the scaling was learned from halves."""
        if space.scaling.name != "self":
            return found
        ratio = float(self._params["outlier_ratio"])
        far = strangers(space, found.clusters.centres, found.labels, lengths, ratio=ratio, world=self._world)
        return replace(found, labels=np.where(far, np.int32(-1), found.labels))

    def _renumbered(self, found: Found, lengths: I32) -> Found:
        """Clusters numbered by falling bases."""
        counts = found.clusters.counts
        own = found.labels[: len(lengths)]
        bases = self._world.total(judging.bases_by_cluster(own, lengths, len(counts)))
        order = judging.order_by_bases(bases, counts.astype(np.int64))
        clusters = Clusters(found.clusters.sums[order], counts[order], found.clusters.merges)
        kept = found.kept and Kept(found.kept.share[np.ix_(order, order)], found.kept.bound[np.ix_(order, order)])
        return Found(judging.renumber(found.labels, order), clusters, found.starts, kept)

    def _judge(self, found: Found, space: Space, form: Any) -> tuple[F32, I32]:
        """Confidence (rows + padding,) float32, by `form` of the centres, and LabelFlag bits int32."""
        rows, flat = space.rows, space.flat
        flat_form = form_of(found.clusters.centres, flat.mean)
        confidence = np.zeros(len(rows.coords), np.float32)
        bits = judging.unassigned(rows.valid, found.labels)
        for place in rows.blocks():
            confidence[place] = judging.confidence_of(form, rows.coords[place], rows.norms[place], found.labels[place])
            if space.halves is not None:
                first, second = space.halves.coords[:, place]
                bits[place] |= judging.judge_halves(flat_form, first, second, flat.mean) * space.halves.valid[place]
        return confidence, bits

    def _write(self, found: Found, space: Space, centres: Any, confidence: F32, bits: I32, number: int) -> None:
        """All outputs, and result.json last."""
        out = self._folder / self._request.outputs
        total, mine = self._x.rows, self._mine.rows
        results = Results(self._request, self._folder, self._world)
        with self._watch.stage("write"):
            results.rows("labels", [OutFile(out / "labels.npy", 0, total, "<i4")], found.labels[:mine])
            results.rows("confidence", [OutFile(out / "confidence.npy", 0, total, "<f4")], confidence[:mine])
            results.rows("flags", [OutFile(out / "flags.npy", 0, total, "<i4")], bits[:mine])
            ends = np.cumsum([0, *(shard.rows for shard in self._x.shards)]).tolist()
            shards = [
                OutFile(out / f"part-{i:05d}.npy", ends[i], shard.rows, "<f4", (space.rows.dim,))
                for i, shard in enumerate(self._x.shards)
            ]
            results.rows("coords", shards, space.rows.coords[:mine])
            results.small("scaling_mean", out / "scaling_mean.npy", space.scaling.mean)
            results.small("scaling_matrix", out / "scaling_matrix.npy", space.scaling.matrix)
            results.small("centres", out / "centres.npy", centres)
        results.finish(self._statistics(found, space, number), self._watch.seconds)

    def _statistics(self, found: Found, space: Space, number: int) -> dict[str, Any]:
        starts, merges, k = found.starts, found.clusters.merges, len(found.clusters.counts)
        return {
            "k_start": int(self._params["k"] or self._params["k_start"]),
            "k": k,
            "dim": space.rows.dim,
            "rows_clustered": space.rows.n_valid,
            "unit_length": space.scaling.unit,
            "used": ["x"] if found.kept is None else ["x", "halves"],
            "passes": number + 1,
            "best_start": starts.best,
            "inertia": float(starts.inertia[starts.best]),
            "inertias": starts.inertia.tolist(),
            "iterations": starts.iterations.tolist(),
            "merges": [
                {"kept_share": one.kept_share, "kept_bound": one.kept_bound, "clusters": k + len(merges) - 1 - i}
                for i, one in enumerate(merges)
            ],
            "pairs": [] if found.kept is None else list_pairs(found.kept, most=MOST_PAIRS),
        }


if __name__ == "__main__":
    rank.main(KMeans, Path(sys.argv[1]))
