"""The space of one pass: this rank's rows and halves under one scaling, as k-means and as merging look at them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isthmus.simulate.programs.exact import F32
from isthmus.simulate.programs.learning import Inputs
from isthmus.simulate.programs.rows import U8, Rows, aligned, check_finite, gather_facts
from isthmus.simulate.programs.scaling import Scaling, to_unit_length
from isthmus.simulate.programs.world import World


@dataclass(frozen=True)
class Halves:
    """Flat coordinates of the two halves of this rank's rows, (2, rows + padding, d), and which rows have both."""

    coords: F32
    valid: U8


@dataclass(frozen=True)
class Space:
    """Rows as k-means sees them, and as merging sees them: `flat`, before they are brought to unit length.

    The two are one object where the scaling does not end in unit length.
    """

    scaling: Scaling
    rows: Rows
    flat: Rows
    halves: Halves | None


def open_space(scaling: Scaling, inputs: Inputs, world: World) -> Space:
    """Bring all rows into the space of `scaling`: one pass over the raw rows and one over their halves."""
    flat = _flat_rows(scaling, inputs)
    own = None
    if scaling.unit:
        own = aligned(*flat.shape)
        for place in inputs.places():
            own[place] = to_unit_length(flat[place])
    first, count = inputs.x.first_row, inputs.x.rows
    flat_rows = gather_facts(flat, inputs.valid, first_row=first, rows=count, world=world)
    rows = flat_rows if own is None else gather_facts(own, inputs.valid, first_row=first, rows=count, world=world)
    return Space(scaling, rows, flat_rows, _flat_halves(scaling, inputs))


def _flat_rows(scaling: Scaling, inputs: Inputs) -> F32:
    """(blocks * BLOCK_ROWS, d); zeros for padding and rows that take no part."""
    coords = aligned(len(inputs.valid), scaling.dim)
    for place, block in inputs.x.blocks():
        check_finite(block, inputs.x.first_row + place.start, "x")
        coords[place] = scaling.flat(block) * inputs.valid[place][:, None].astype(np.float32)
    return coords


def _flat_halves(scaling: Scaling, inputs: Inputs) -> Halves | None:
    """Zeros where a row has not both halves; None where the product has none."""
    if inputs.halves is None:
        return None
    n = len(inputs.valid)
    coords = aligned(2 * n, scaling.dim).reshape(2, n, scaling.dim)
    for half, raw in enumerate(inputs.halves):
        for place, block in raw.blocks():
            check_finite(block, raw.first_row + place.start, "halves")
            coords[half, place] = scaling.flat(block) * inputs.both[place][:, None].astype(np.float32)
    return Halves(coords, inputs.both)
