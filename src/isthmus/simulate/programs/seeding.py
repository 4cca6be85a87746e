"""First centres: greedy k-means++ (Arthur and Vassilvitskii 2007), all starts in step, so that collectives are few."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from isthmus.kernels.cluster import BlockMaths
from isthmus.simulate.programs.centres import form_of
from isthmus.simulate.programs.exact import F32, F64, grid_exponent, rounding_constant
from isthmus.simulate.programs.rows import Rows
from isthmus.simulate.programs.world import World
from isthmus.simulate.request import BLOCK_ROWS

Save = Callable[[F64], None]


def n_trials(k: int) -> int:
    """Candidates for each centre, of which the best is taken; as scikit-learn has it."""
    return 2 + int(math.log(k))


class Seeding:
    """Chooses K centres among the rows for each of S starts.

    A centre is drawn with probability proportional to the squared distance to the nearest centre so far; of
    `n_trials(k)` draws the one that leaves the least sum of squared distances is kept, ties to the first. Draws come
    from default_rng([*stream, start, step]), so that a run that goes on draws what it would have drawn.
    """

    def __init__(
        self, rows: Rows, maths: BlockMaths, world: World, *, k: int, starts: int, stream: tuple[int, int]
    ) -> None:
        self._rows, self._maths, self._world = rows, maths, world
        self._k, self._starts, self._stream = k, starts, stream
        self._trials = n_trials(k)
        self._closest = np.empty((starts, len(rows.coords)), np.float32)
        self._block_sums = np.zeros((rows.n_blocks, starts))
        self._rank_sums = np.zeros((world.size, starts))

    def run(self, done: F64 | None, save: Save) -> F64:
        """Centres (S, K, d), going on after `done` (S, steps, d); `save` is told the centres after each step."""
        chosen = self._first() if done is None else done
        self._closest[:] = np.where(self._rows.valid, np.float32(np.inf), np.float32(0))
        for step in range(chosen.shape[1]):
            self._come_closer(chosen[:, step])
        self._sum_up()
        while chosen.shape[1] < self._k:
            step = chosen.shape[1]
            candidates = self._draw(step, self._trials, self._rows.big)
            best = self._best(candidates)
            self._come_closer(best)
            self._sum_up()
            chosen = np.concatenate([chosen, best[:, None]], axis=1)
            save(chosen)
        return chosen

    def _first(self) -> F64:
        """One row for each start, all rows alike."""
        self._closest[:] = self._rows.valid
        big = rounding_constant(grid_exponent(1.0, self._rows.n_valid))
        self._sum_up(big)
        return self._draw(0, 1, big)

    def _sum_up(self, big: float | None = None) -> None:
        """Sums of the weights by block, and by rank for everybody; exact."""
        step = self._rows.big if big is None else big
        for index, block in enumerate(self._rows.blocks()):
            weights = self._closest[:, block].astype(np.float64)
            self._block_sums[index] = ((weights + step) - step).sum(axis=1)
        self._rank_sums = self._world.gather(self._block_sums.sum(axis=0))

    def _draw(self, step: int, trials: int, big: float) -> F64:
        """(S, trials, d) rows drawn in proportion to their weight; found by the rank that has them."""
        mine = np.zeros((self._starts, trials, self._rows.dim))
        for start in range(self._starts):
            uniform = np.random.default_rng([*self._stream, start, step]).random(trials)
            total = float(self._rank_sums[:, start].sum())
            if total == 0.0:  # every row lies on a centre: any row will do, the first is found on every rank alike
                self._take_first_valid(mine[start])
                continue
            targets = np.minimum(uniform * total, np.nextafter(total, 0.0))
            self._find(start, targets, big, mine[start])
        return self._world.total(mine)

    def _find(self, start: int, targets: F64, big: float, out: F64) -> None:
        """Put the rows where the running sum passes `targets` into `out`, those that this rank has."""
        before = float(self._rank_sums[: self._world.rank, start].sum())
        ends = before + np.cumsum(self._block_sums[:, start])
        for i, target in enumerate(targets.tolist()):
            if not len(ends) or not before <= target < ends[-1]:
                continue
            block = int(np.searchsorted(ends, target, side="right"))
            lo = block * BLOCK_ROWS
            weights = self._closest[start, lo : lo + BLOCK_ROWS].astype(np.float64)
            base = before if block == 0 else float(ends[block - 1])
            running = base + np.cumsum((weights + big) - big)
            out[i] = self._rows.coords[lo + int(np.searchsorted(running, target, side="right"))]

    def _take_first_valid(self, out: F64) -> None:
        counts = self._rows.valid.sum(dtype=np.int64)
        owner = int(np.flatnonzero(self._world.gather(np.array([counts]))[:, 0])[0])
        if owner == self._world.rank:
            out[:] = self._rows.coords[int(np.flatnonzero(self._rows.valid)[0])]

    def _best(self, candidates: F64) -> F64:
        """(S, d): for each start the candidate that leaves the least sum."""
        form = form_of(candidates, self._rows.mean)
        n_starts, trials = candidates.shape[:2]
        scores = np.empty((n_starts * trials, BLOCK_ROWS), np.float32)
        left = np.zeros((n_starts, trials))
        for block in self._rows.blocks():
            form.scores(self._rows.coords[block], out=scores)
            for start in range(n_starts):
                of = slice(start * trials, (start + 1) * trials)
                left[start] += self._maths.potential(
                    scores[of], form.bias[of], self._rows.norms[block], self._closest[start, block], self._rows.big
                )
        winners = self._world.total(left).argmin(axis=1)
        best: F64 = candidates[np.arange(n_starts), winners]
        return best

    def _come_closer(self, centres: F64) -> None:
        """Take one new centre for each start, (S, d), into the squared distances to the nearest."""
        form = form_of(centres, self._rows.mean)
        scores = np.empty((self._starts, BLOCK_ROWS), np.float32)
        for block in self._rows.blocks():
            form.scores(self._rows.coords[block], out=scores)
            for start in range(self._starts):
                near: F32 = self._closest[start, block]
                self._maths.closest(scores[start], float(form.bias[start]), self._rows.norms[block], near)
