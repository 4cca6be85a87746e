"""Centres as the matrix product sees them: scores of rows against centres, and back to squared distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from isthmus.simulate.programs.exact import F32, F64


@dataclass(frozen=True)
class Form:
    """Centres c (K, d) about the mean m of all rows, ready for float32 products.

    |x - c|^2 = |x - m|^2 + bias + weights.x with weights = -2 (c - m) and bias = |c - m|^2 + 2 m.(c - m): the row's own
    part is the same for all centres, so weights.x + bias orders them, and nothing large cancels where m is far from 0.
    """

    weights: F32
    bias: F32

    def scores(self, rows: F32, out: F32 | None = None) -> F32:
        """weights.x of rows (B, d), centre by centre: (K, B)."""
        return np.matmul(self.weights, rows.T, out=out)


def form_of(centres: F64, mean: F64) -> Form:
    """The form of `centres` (..., d); leading axes are taken together as one list of centres."""
    offsets = centres.reshape(-1, centres.shape[-1]) - mean
    bias = (offsets**2).sum(axis=1) + 2.0 * (offsets * mean).sum(axis=1)
    return Form(np.ascontiguousarray(-2.0 * offsets, np.float32), bias.astype(np.float32))


def squared_distances(scores: F32, bias: F32, norms: F32) -> F32:
    """(K, B) squared distances, not below 0, from scores (K, B), bias (K,) and norms (B,)."""
    distances: F32 = np.maximum((norms + bias[:, None]) + scores, np.float32(0))
    return distances
