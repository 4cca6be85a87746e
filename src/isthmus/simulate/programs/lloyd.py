"""Lloyd's iterations, all starts in step: one pass over the rows and one collective serve every start.

Sums of rows by cluster are exact, so they are kept up to date by the rows that changed cluster, and still have the bits
of sums taken anew. Rules of stopping and of empty clusters are scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.kernels.cluster import I32, BlockMaths
from isthmus.simulate.programs.centres import Form, form_of, squared_distances
from isthmus.simulate.programs.clusters import Clusters
from isthmus.simulate.programs.exact import F32, F64
from isthmus.simulate.programs.rows import Rows
from isthmus.simulate.programs.world import World
from isthmus.simulate.request import BLOCK_ROWS

_SCORES_BYTES = 1 << 19  # of the scores that one call of the kernel takes: they stay in a core's second cache


@dataclass(frozen=True)
class Starts:
    """Where each of S starts stands; small, and all that a checkpoint needs: labels follow from `previous`.

    Args:
        previous:   (S, K, d) centres that the current labels were taken from; meaningless at iteration 0.
        centres:    (S, K, d) centres to label with next; final where `done`.
        iterations: (S,) int64.
        done:       (S,) bool.
        inertia:    (S,) float64, infinite until done.
    """

    previous: F64
    centres: F64
    iterations: npt.NDArray[np.int64]
    done: npt.NDArray[np.bool_]
    inertia: F64

    @staticmethod
    def at(centres: F64) -> Starts:
        """Nothing done yet, from first centres (S, K, d)."""
        n = len(centres)
        return Starts(centres, centres, np.zeros(n, np.int64), np.zeros(n, bool), np.full(n, np.inf))

    @property
    def best(self) -> int:
        """The start with the least inertia, ties to the first."""
        return int(self.inertia.argmin())


Save = Callable[[Starts], None]


class Lloyd:
    """Runs Lloyd's iterations to the end for all starts.

    A start ends when no label changes, when its centres move by no more than `tol` times the mean variance in all
    (sum of squares), or after `max_iterations`; its labels then fit its last centres.
    """

    def __init__(self, rows: Rows, maths: BlockMaths, world: World, *, tol: float, max_iterations: int) -> None:
        self._rows, self._maths, self._world = rows, maths, world
        self._tol, self._max_iterations = tol * rows.spread, max_iterations
        self._labels: I32 = np.empty((0, 0), np.int32)
        self._sums: F64 = np.empty(0)
        self._counts: F64 = np.empty(0)

    def run(self, state: Starts, save: Save) -> Starts:
        """Iterate until every start is done; `save` is told the state after each iteration."""
        n_starts, k, dim = state.centres.shape
        self._labels = np.full((n_starts, len(self._rows.coords)), -1, np.int32)
        self._sums, self._counts = np.zeros((n_starts, k, dim)), np.zeros((n_starts, k))
        begun = np.flatnonzero((state.iterations > 0) & ~state.done)
        self._assign(begun, state.previous)
        while not state.done.all():
            state = self._step(state)
            save(state)
        return state

    def clusters_of(self, state: Starts, start: int) -> tuple[I32, Clusters]:
        """Labels (rows + padding,), -1 for rows that take no part, and the clusters of a start that is done."""
        self._assign(np.array([start]), state.centres)
        clusters = Clusters(self._sums[start].copy(), self._counts[start].copy())
        labels = self._labels[start].copy()
        self._labels = np.empty((0, 0), np.int32)  # the other starts' labels are not needed any more
        return labels, clusters

    def _step(self, state: Starts) -> Starts:
        active = np.flatnonzero(~state.done)
        changed = self._assign(active, state.centres)
        previous, centres = state.previous.copy(), state.centres.copy()
        previous[active] = state.centres[active]
        for start in active:
            centres[start] = self._moved(int(start), state.centres[start])
        iterations = state.iterations.copy()
        iterations[active] += 1
        shift = ((centres[active] - state.centres[active]) ** 2).sum(axis=(1, 2))
        still = (changed > 0) & (shift > self._tol) & (iterations[active] < self._max_iterations)
        ended = active[~still]
        self._assign(active[~still & ((changed > 0) | (shift > 0))], centres)
        done, inertia = state.done.copy(), state.inertia.copy()
        done[ended] = True
        if len(ended):
            inertia[ended] = self._inertia(ended, centres)
        return replace(state, previous=previous, centres=centres, iterations=iterations, done=done, inertia=inertia)

    def _assign(self, starts: npt.NDArray[Any], centres: F64) -> npt.NDArray[np.int64]:
        """Label all rows for `starts` by `centres`; sums and counts of all ranks follow. Returns labels changed."""
        if not len(starts):
            return np.zeros(0, np.int64)
        _, k, dim = centres.shape
        forms = [form_of(centres[start], self._rows.mean) for start in starts]
        moved = np.zeros((len(starts), k * dim + k + 1))
        scores = np.empty((max(1, _SCORES_BYTES // (4 * k * BLOCK_ROWS)), k, BLOCK_ROWS), np.float32)
        for group in self._rows.groups(len(scores)):
            for i, start in enumerate(starts):
                moved[i, -1] += self._assign_group(forms[i], group, self._labels[start, group], moved[i], scores)
        moved = self._world.total(moved)
        self._sums[starts] += moved[:, : k * dim].reshape(-1, k, dim)
        self._counts[starts] += moved[:, k * dim : -1]
        return moved[:, -1].astype(np.int64)

    def _assign_group(self, form: Form, group: slice, labels: I32, moved: F64, scores: F32) -> int:
        """Label some blocks; one product for each, for BLAS is to see the same shapes on any number of ranks."""
        k, dim = form.weights.shape
        rows = self._rows.coords[group]
        n_blocks = len(rows) // BLOCK_ROWS
        for i in range(n_blocks):
            form.scores(rows[i * BLOCK_ROWS : (i + 1) * BLOCK_ROWS], out=scores[i])
        sums, counts = moved[: k * dim].reshape(k, dim), moved[k * dim : -1]
        valid = self._rows.valid[group]
        return self._maths.assign(scores[:n_blocks], form.bias, rows, valid, labels, sums, counts)

    def _moved(self, start: int, old: F64) -> F64:
        """Means of the clusters of one start; an empty cluster moves to the row farthest from its centre."""
        sums, counts = self._sums[start], self._counts[start]
        empty = np.flatnonzero(counts == 0)
        if len(empty):
            sums, counts = self._refilled(start, old, empty)
        return np.where(counts[:, None] > 0, sums / np.maximum(counts, 1.0)[:, None], old)

    def _refilled(self, start: int, old: F64, empty: npt.NDArray[np.int64]) -> tuple[F64, F64]:
        """Sums and counts with the farthest rows, ties to the lowest row, taken into the empty clusters."""
        sums, counts = self._sums[start].copy(), self._counts[start].copy()
        far = self._world.gather(self._farthest(start, old, len(empty)))
        far = far.reshape(-1, far.shape[-1])
        order = np.lexsort((far[:, 1], -far[:, 0]))
        for cluster, row in zip(empty, far[order], strict=False):
            if row[0] <= 0:
                break
            donor = int(row[2])
            sums[donor] -= row[3:]
            counts[donor] -= 1
            sums[cluster], counts[cluster] = row[3:], 1
        return sums, counts

    def _farthest(self, start: int, centres: F64, n: int) -> F64:
        """(n, 3 + d): squared distance, global row, label and coordinates of this rank's farthest rows."""
        form = form_of(centres, self._rows.mean)
        distance = np.zeros(len(self._rows.coords), np.float32)
        for block in self._rows.blocks():
            scores = form.scores(self._rows.coords[block])
            distance[block] = squared_distances(scores, form.bias, self._rows.norms[block]).min(axis=0)
        distance[self._rows.valid == 0] = 0
        top = np.argsort(-distance, kind="stable")[:n]
        found = np.zeros((n, 3 + self._rows.dim))
        found[: len(top), 0] = distance[top]
        found[: len(top), 1] = self._rows.first_row + top
        found[: len(top), 2] = self._labels[start, top]
        found[: len(top), 3:] = self._rows.coords[top]
        return found

    def _inertia(self, starts: npt.NDArray[np.int64], centres: F64) -> F64:
        """Sums of squared distances to the own centre, in float64."""
        sums = np.zeros(len(starts))
        for block in self._rows.blocks():
            rows = self._rows.coords[block]
            for i, start in enumerate(starts):
                own = np.ascontiguousarray(centres[start])
                sums[i] += self._maths.inertia(rows, own, self._labels[start, block], self._rows.big)
        return self._world.total(sums)
