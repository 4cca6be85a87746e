"""Scalings against their definitions, and what they are for."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import blobs

from isthmus.core.errors import Corrupt
from isthmus.simulate.programs.clusters import clusters_in
from isthmus.simulate.programs.learning import Inputs, learn, within_clusters
from isthmus.simulate.programs.rows import RawRows, check_finite, padded_mask
from isthmus.simulate.programs.scaling import inverse_root, refined, shrunk, to_unit_length
from isthmus.simulate.programs.spaces import open_space
from isthmus.simulate.programs.world import Alone


def _inputs(x: np.ndarray, halves: np.ndarray | None = None, valid: np.ndarray | None = None) -> Inputs:
    n, dim = x.shape
    raw = RawRows(lambda lo, hi: x[lo:hi], 0, n, dim)
    both = None
    if halves is not None:
        both = tuple(RawRows(lambda lo, hi, h=h: halves[h, lo:hi], 0, n, dim) for h in (0, 1))
    mask = padded_mask(np.ones(n, bool) if valid is None else valid, raw.n_blocks)
    return Inputs(raw, both, mask, mask, n_blocks=raw.n_blocks)


def _scale(name: str, inputs: Inputs, dim: int = 20) -> np.ndarray:
    space = open_space(learn(name, inputs, Alone(), dim=dim), inputs, Alone())
    return space.rows.coords[: inputs.x.rows]


def test_z_gives_mean_0_and_variance_1_and_silences_constant_columns():
    """As scikit-learn's StandardScaler has it; rows that take no part do not count."""
    rng = np.random.default_rng(1)
    x = (rng.normal(size=(5000, 4)) * [1, 1e-3, 50, 0] + [3, 7, -100, 2.5]).astype(np.float32)
    valid = np.arange(5000) % 10 != 0
    x[~valid] = 0

    z = _scale("z", _inputs(x, valid=valid))

    want = (x[valid].astype(float) - x[valid].mean(axis=0, dtype=float)) / np.array([*x[valid, :3].std(axis=0), 1.0])
    assert np.abs(z[valid][:, :3] - want[:, :3]).max() < 1e-3
    assert (z[:, 3] == 0).all()
    assert (z[~valid] == 0).all()


def test_unit_gives_length_1_and_none_leaves_rows_alone():
    """`unit` keeps directions; `none` keeps values to 24 bits of their column."""
    x, _, _ = blobs(300, 7, 2, seed=1)

    assert np.abs(np.linalg.norm(_scale("unit", _inputs(x)), axis=1) - 1).max() < 1e-6
    assert np.abs(_scale("none", _inputs(x)) - x).max() <= np.abs(x).max() * 2.0**-24
    assert to_unit_length(np.zeros((2, 3), np.float32)).tolist() == [[0.0] * 3] * 2


def test_self_is_relevant_component_analysis_by_its_definition():
    """Whitening by the half differences, principal components of what it leaves, unit length: against plain numpy."""
    x, halves, _ = blobs(6000, 12, 4, seed=2, apart=5.0)
    n = len(x)

    coords = _scale("self", _inputs(x, halves), dim=5)

    d = (halves[0] - halves[1]).astype(float)
    within = shrunk(d.T @ d / n, n)
    values, vectors = np.linalg.eigh(within)
    white = (x - x.mean(axis=0, dtype=float)) @ vectors / np.sqrt(values)
    _, components = np.linalg.eigh(white.T @ white)
    flat = white @ components[:, ::-1][:, :5]
    want = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    assert np.abs(coords @ coords.T - want @ want.T).max() < 1e-3  # same but for rotation and sign


def test_self_finds_the_direction_that_tells_organisms_apart():
    """Large scatter within reads hides a small difference between organisms: whitening by the halves uncovers it."""
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 2, 4000)
    noise = np.array([20.0, 0.2, 20.0])
    halves = rng.normal(size=(2, 4000, 3)) * noise + np.outer(truth, [0.0, 2.0, 0.0])
    x = halves.mean(axis=0).astype(np.float32)

    coords = _scale("self", _inputs(x, halves.astype(np.float32)), dim=1)

    side = coords[:, 0] > 0
    assert max((side == truth).mean(), (side != truth).mean()) > 0.99


def test_shrinkage_is_full_strength_only_for_few_differences():
    """Fewer differences than columns are inverted without trouble; thousands are hardly touched."""
    rng = np.random.default_rng(4)
    d = rng.normal(size=(5, 30))
    few, many = shrunk(d.T @ d / 5, 5), shrunk(np.diag([1.0, 9.0]), 4000)

    assert np.linalg.eigvalsh(few).min() > 0
    assert np.isfinite(inverse_root(few)).all()
    assert many[1, 1] == pytest.approx(9.0, rel=1e-5)
    assert np.allclose(inverse_root(np.zeros((3, 3))), np.eye(3))


def test_refining_makes_what_is_left_within_clusters_round():
    """After a refinement the pooled covariance within clusters is the same in all directions, but for shrinkage."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, 9000)
    x = (rng.normal(size=(9000, 4)) * [1, 5, 0.2, 1] + rng.normal(size=(3, 4))[truth] * 20).astype(np.float32)
    inputs = _inputs(x, np.stack([x, x]))
    scaling = learn("none", inputs, Alone(), dim=4)
    scaling = type(scaling)("self", scaling.mean, np.eye(4, dtype=np.float32), unit=True)
    labels = np.append(truth, np.full(len(inputs.valid) - 9000, -1)).astype(np.int32)

    covariances = []
    for _ in range(2):
        flat = open_space(scaling, inputs, Alone()).flat
        covariances.append(within_clusters(flat, labels, clusters_in(flat, labels, 3, Alone()), Alone()))
        scaling = refined(scaling, covariances[-1])

    parts = [x[truth == k].astype(float) - x[truth == k].mean(axis=0) for k in range(3)]
    want = sum(part.T @ part for part in parts) / (9000 - 3)
    assert np.allclose(covariances[0], want, rtol=1e-4, atol=1e-4)
    values = np.linalg.eigvalsh(covariances[1])
    assert values[1] / values[-1] > 0.5
    assert np.linalg.eigvalsh(want)[-1] / np.linalg.eigvalsh(want)[0] > 500


def test_infinity_names_its_row():
    """The row is counted over the whole array."""
    block = np.zeros((4, 2), np.float32)
    block[3, 1] = np.inf

    with pytest.raises(Corrupt, match="x, row 8,195"):
        check_finite(block, 8192, "x")
