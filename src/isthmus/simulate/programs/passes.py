"""One pass over the reads in one space: seed, iterate, merge; resumable anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from isthmus.core.clock import Stopwatch
from isthmus.core.errors import InvalidInput
from isthmus.kernels.cluster import I32, BlockMaths
from isthmus.simulate.programs.checkpoint import Checkpoint
from isthmus.simulate.programs.clusters import Clusters, Merge, clusters_in, drop_empty
from isthmus.simulate.programs.exact import F64
from isthmus.simulate.programs.lloyd import Lloyd, Starts
from isthmus.simulate.programs.merging import Kept, kept_counts, kept_of, merge_pair, merge_until
from isthmus.simulate.programs.scaling import Scaling
from isthmus.simulate.programs.seeding import Seeding
from isthmus.simulate.programs.spaces import Halves, Space
from isthmus.simulate.programs.world import World

Arrays = Mapping[str, npt.NDArray[Any]]
LATER_STARTS = 3  # of the passes after the first: more make no difference to what merging ends at


class Teller(Protocol):
    """Whom a pass tells how far it is."""

    def update(self, stage: str, done: float, total: float | None, unit: str) -> None:
        """See `isthmus.core.progress.Progress`."""


@dataclass(frozen=True)
class Tools:
    """What every pass works with."""

    maths: BlockMaths
    world: World
    checkpoint: Checkpoint
    told: Teller
    watch: Stopwatch


@dataclass(frozen=True)
class Found:
    """What a pass came to.

    Args:
        labels:   (rows + padding,) int32, -1 for rows that take no part.
        clusters: in the flat space, with the merges that led to them.
        starts:   of the iterations.
        kept:     how well pairs of clusters hold apart, None without halves.
    """

    labels: I32
    clusters: Clusters
    starts: Starts
    kept: Kept | None


def saved_scaling(checkpoint: Checkpoint, name: str, *, unit: bool) -> tuple[int, Scaling] | None:
    """Pass and scaling that a checkpoint goes on in, or None."""
    state = checkpoint.state()
    if not state:
        return None
    return int(state["pass"]), Scaling(name, state["mean"], state["matrix"], unit)


class Pass:
    """The pass `number`, counted from 0, in `space`; every method is called by all ranks alike."""

    def __init__(self, number: int, space: Space, params: Mapping[str, Any], tools: Tools) -> None:
        self._number, self._space, self._params, self._tools = number, space, params, tools
        self._k = int(params["k"] or params["k_start"])
        self._starts = int(params["starts"]) if number == 0 else min(int(params["starts"]), LATER_STARTS)

    def run(self, *, resumed: bool) -> Found:
        """Cluster; from the checkpoint where `resumed`."""
        if self._space.rows.n_valid < self._k:
            raise InvalidInput(
                f"{self._k:,} clusters asked of {self._space.rows.n_valid:,} reads with k-mers; ask for fewer"
            )
        state = self._tools.checkpoint.state() if resumed else {}
        lloyd = Lloyd(
            self._space.rows,
            self._tools.maths,
            self._tools.world,
            tol=float(self._params["tol"]),
            max_iterations=int(self._params["max_iterations"]),
        )
        starts = self._iterate(lloyd, self._seed(state))
        with self._tools.watch.stage("merge"):
            labels, clusters = lloyd.clusters_of(starts, starts.best)
            drop_empty(labels, clusters)
            k = int((clusters.counts > 0).sum())
            found = Found(labels, clusters_in(self._space.flat, labels, k, self._tools.world), starts, None)
            return found if self._space.halves is None else self._merge(found, self._space.halves, state)

    def _save(self, phase: str, arrays: Arrays, *, now: bool = False) -> None:
        scaling = self._space.scaling
        own = {"pass": np.array(self._number), "mean": scaling.mean, "matrix": scaling.matrix}
        self._tools.checkpoint.save({"phase": np.array(phase), **own, **arrays}, now=now)

    def _seed(self, state: Arrays) -> Starts:
        phase = str(state.get("phase", ""))
        if phase in ("lloyd", "merge"):
            return Starts(**{name: state[name] for name in Starts.__dataclass_fields__})
        with self._tools.watch.stage("seed"):
            seeding = Seeding(
                self._space.rows,
                self._tools.maths,
                self._tools.world,
                k=self._k,
                starts=self._starts,
                stream=(int(self._params["seed"]), self._number),
            )

            def save(chosen: F64) -> None:
                self._tools.told.update(self._stage("first centres"), chosen.shape[1], self._k, "centre")
                self._save("seed", {"chosen": chosen})

            return Starts.at(seeding.run(state["chosen"] if phase == "seed" else None, save))

    def _iterate(self, lloyd: Lloyd, starts: Starts) -> Starts:
        def save(state: Starts) -> None:
            self._tools.told.update(self._stage("k-means"), int(state.done.sum()), len(state.done), "start")
            self._save("lloyd", vars(state), now=bool(state.done.all()))

        with self._tools.watch.stage("lloyd"):
            return lloyd.run(starts, save)

    def _merge(self, found: Found, halves: Halves, state: Arrays) -> Found:
        """Merge while K is unknown; with K given only the kept shares are taken."""
        flat, maths, world = self._space.flat, self._tools.maths, self._tools.world

        z = float(self._params["merge_z"])

        def judge(labels: I32, clusters: Clusters) -> Kept:
            return kept_of(kept_counts(labels, halves, clusters, flat, maths, world), z)

        def save(clusters: Clusters) -> None:
            self._tools.told.update(self._stage("merging"), len(clusters.merges), None, "merge")
            merges = np.array([[one.a, one.b, one.kept_share, one.kept_bound] for one in clusters.merges])
            self._save("merge", {**vars(found.starts), "merges": merges})

        clusters = found.clusters
        if self._params["k"] is not None:
            return replace(found, kept=judge(found.labels, clusters))
        for a, b, share, bound in state["merges"].tolist() if str(state.get("phase", "")) == "merge" else []:
            clusters = merge_pair(found.labels, clusters, Merge(int(a), int(b), share, bound))
        threshold = float(self._params["merge_threshold"])
        clusters, kept = merge_until(threshold, found.labels, clusters, judge=judge, save=save)
        return replace(found, clusters=clusters, kept=kept)

    def _stage(self, name: str) -> str:
        return name if self._number == 0 else f"{name}, pass {self._number + 1}"
