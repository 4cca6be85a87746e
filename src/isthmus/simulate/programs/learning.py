"""Learning the scaling from all rows and applying it: passes over blocks of raw rows, one block in memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from isthmus.core.errors import InvalidInput
from isthmus.kernels.cluster import I32
from isthmus.simulate.programs.clusters import Clusters
from isthmus.simulate.programs.exact import F32, F64
from isthmus.simulate.programs.rows import U8, RawRows, Rows, check_finite
from isthmus.simulate.programs.scaling import Scaling, from_halves, moments, plain, z_score
from isthmus.simulate.programs.world import World
from isthmus.simulate.request import BLOCK_ROWS


class Inputs:
    """This rank's raw rows, and their halves where the product has them.

    Args: valid, both: (blocks * BLOCK_ROWS,) rows that take part, and those of them with two halves;
          n_blocks: over all ranks.
    """

    def __init__(
        self, x: RawRows, halves: tuple[RawRows, RawRows] | None, valid: U8, both: U8, *, n_blocks: int
    ) -> None:
        self.x, self.halves, self.valid, self.both, self.n_blocks = x, halves, valid, both, n_blocks

    def places(self) -> Iterator[slice]:
        """The places of this rank's blocks among its padded rows."""
        for index in range(self.x.n_blocks):
            yield slice(index * BLOCK_ROWS, (index + 1) * BLOCK_ROWS)

    def rows(self) -> Iterator[tuple[F32, U8]]:
        """Blocks of rows with which of them take part; refuses NaN and infinity."""
        for place, block in self.x.blocks():
            check_finite(block, self.x.first_row + place.start, "x")
            yield block, self.valid[place]

    def differences(self) -> Iterator[tuple[F32, U8]]:
        """Blocks of first half less second half, with which rows have both."""
        if self.halves is None:
            raise InvalidInput("scale self needs the halves of reads, and this product has none; use --set scale=z")
        first, second = self.halves
        for index in range(first.n_blocks):
            place = slice(index * BLOCK_ROWS, (index + 1) * BLOCK_ROWS)
            both = self.both[place]
            block = (first.block(index) - second.block(index)) * both[:, None].astype(np.float32)
            check_finite(block, self.x.first_row + place.start, "halves")
            yield block, both


def learn(name: str, inputs: Inputs, world: World, *, dim: int) -> Scaling:
    """The scaling `name` of these rows, the same on every rank; small matrices are solved on rank 0."""
    if name in ("none", "unit"):
        return plain(name, inputs.x.dim)
    rows = moments(inputs.rows(), _largest(inputs.rows(), inputs.x.dim, world), inputs.n_blocks, world)
    if name == "z":
        return z_score(rows)
    largest = _largest(inputs.differences(), inputs.x.dim, world)
    within = moments(inputs.differences(), largest, inputs.n_blocks, world)
    dim = max(1, min(dim, inputs.x.dim, rows.n - 1))
    found = from_halves(rows, within, dim=dim) if world.rank == 0 else None
    mean = world.share(np.zeros(inputs.x.dim, np.float32) if found is None else found.mean)
    matrix = world.share(np.zeros((inputs.x.dim, dim), np.float32) if found is None else found.matrix)
    return Scaling(name, mean, matrix, unit=True)


def within_clusters(rows: Rows, labels: I32, clusters: Clusters, world: World) -> F64:
    """(d, d) pooled covariance of `rows` about the centres of their clusters, over all ranks; exact sums."""
    largest = world.largest(np.abs(rows.coords).max(axis=0, initial=0.0).astype(np.float64))
    n_blocks = int(world.total(np.array([rows.n_blocks]))[0])
    blocks = ((rows.coords[place], (labels[place] >= 0).astype(np.uint8)) for place in rows.blocks())
    found = moments(blocks, largest, n_blocks, world)
    between = (clusters.centres * clusters.counts[:, None]).T @ clusters.centres
    return (found.second * found.n - between) / max(found.n - len(clusters.counts), 1)


def _largest(blocks: Iterator[tuple[F32, U8]], dim: int, world: World) -> F64:
    """(D,) largest absolute values of the rows that take part, over all ranks."""
    largest = np.zeros(dim)
    for block, valid in blocks:
        np.maximum(largest, (np.abs(block) * valid[:, None]).max(axis=0), out=largest)
    return world.largest(largest)
