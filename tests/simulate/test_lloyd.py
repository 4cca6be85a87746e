"""Lloyd's iterations against scikit-learn's from the same start, and at the edges."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from isthmus.kernels.cluster import Plain

sys.path.insert(0, str(Path(__file__).parent))
from pure import lloyd_from, rows_of, seeds_of


def _clouds(n: int, dim: int, k: int, seed: int, offset: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(k, dim)) * 2 + offset
    return (centres[rng.integers(0, k, n)] + rng.normal(size=(n, dim))).astype(np.float32)


def _inertia(x: np.ndarray, peer: KMeans) -> float:
    """scikit-learn's inertia in float64; its own is a float32 sum."""
    return float(((x.astype(np.float64) - peer.cluster_centers_[peer.labels_]) ** 2).sum())


@pytest.mark.parametrize(
    ("n", "dim", "k", "offset"), [(9000, 20, 12, 0.0), (5000, 103, 7, 0.0), (8192, 20, 64, 0.0), (6000, 20, 8, 100.0)]
)
@pytest.mark.parametrize("seed", [1, 2])
def test_inertia_equals_scikit_learns_from_the_same_start(n, dim, k, offset, seed):
    """From the same first centres the inertia agrees to 1e-6, the labels all but for rows on a border."""
    x = _clouds(n, dim, k, seed, offset)
    start = x[np.random.default_rng(seed).choice(n, k, replace=False)]

    state, labels, _ = lloyd_from(rows_of(x), start[None].astype(float))
    peer = KMeans(k, init=start, n_init=1, algorithm="lloyd").fit(x)

    assert state.inertia[0] == pytest.approx(_inertia(x, peer), rel=1e-6)
    assert int(state.iterations[0]) == peer.n_iter_
    assert (labels == peer.labels_).mean() > 0.999


def test_raw_composition_like_rows_agree_with_scikit_learn_too():
    """Small positive frequencies with a common offset, as `scale=none` hands them over: the first steps agree to 1e-6.

    These rows are one cloud. Run to the end, a row halfway between two centres may send the two to neighbouring optima,
    and which way it goes changes with the threads of the BLAS in this process (ranks have one).
    """
    rng = np.random.default_rng(5)
    x = rng.dirichlet(np.full(136, 40.0), 6000).astype(np.float32)
    x[:3000] *= np.linspace(0.8, 1.2, 136, dtype=np.float32)
    start = x[rng.choice(6000, 9, replace=False)]

    state, _, _ = lloyd_from(rows_of(x), start[None].astype(float), tol=0, max_iterations=5)
    peer = KMeans(9, init=start, n_init=1, algorithm="lloyd", tol=0, max_iter=5).fit(x)
    ended, _, _ = lloyd_from(rows_of(x), start[None].astype(float))
    whole = KMeans(9, init=start, n_init=1, algorithm="lloyd").fit(x)

    assert peer.n_iter_ == int(state.iterations[0]) == 5
    assert state.inertia[0] == pytest.approx(_inertia(x, peer), rel=1e-6)
    assert ended.inertia[0] == pytest.approx(_inertia(x, whole), rel=1e-4)


def test_starts_in_step_give_what_each_gives_alone():
    """Running several starts together changes no bit of any of them."""
    rows = rows_of(_clouds(9000, 8, 6, 3))
    starts = seeds_of(rows, 6, starts=4, seed=9)

    together, _, _ = lloyd_from(rows, starts)
    alone = [lloyd_from(rows, starts[i : i + 1])[0] for i in range(4)]

    assert together.centres.tobytes() == np.concatenate([one.centres for one in alone]).tobytes()
    assert together.inertia.tolist() == [float(one.inertia[0]) for one in alone]


def test_plain_kernels_give_the_same_bits():
    """The numpy twin and the compiled kernels end with the same centres, labels and inertia."""
    rows = rows_of(_clouds(6000, 20, 12, 4))
    starts = seeds_of(rows, 12, starts=2)

    fast, slow = (lloyd_from(rows, starts), lloyd_from(rows, starts, maths=Plain()))

    assert fast[0].centres.tobytes() == slow[0].centres.tobytes()
    assert fast[0].inertia.tolist() == slow[0].inertia.tolist()
    assert fast[1].tobytes() == slow[1].tobytes()


def test_an_empty_cluster_moves_to_the_farthest_row():
    """A first centre that wins no row is put on the row farthest from its own centre."""
    x = np.array([[0.0], [1.0], [2.0], [50.0]] * 3, np.float32)

    _, labels, clusters = lloyd_from(rows_of(x), np.array([[[1.0], [1e6]]]))

    assert sorted(clusters.centres[:, 0].tolist()) == [1.0, 50.0]
    assert len(set(labels.tolist())) == 2


def test_fewer_distinct_rows_than_clusters_leave_clusters_empty():
    """All rows alike: one cluster holds them, the others stay empty, and the inertia is 0."""
    rows = rows_of(np.full((100, 3), 0.25, np.float32))

    state, labels, clusters = lloyd_from(rows, seeds_of(rows, 4, starts=2))

    assert state.inertia.tolist() == [0.0, 0.0]
    assert set(labels.tolist()) == {0}
    assert clusters.counts.tolist() == [100, 0, 0, 0]


def test_rows_that_take_no_part_have_no_label_and_no_weight():
    """Invalid rows are -1 and the result is that of the other rows alone."""
    x = _clouds(3000, 5, 3, 8)
    valid = np.ones(3000, bool)
    valid[::7] = False
    start = x[[1, 2, 3]][None].astype(float)

    _, labels, clusters = lloyd_from(rows_of(x, valid), start)
    peer = KMeans(3, init=start[0], n_init=1, algorithm="lloyd").fit(x[valid])

    assert (labels[~valid] == -1).all()
    assert adjusted_rand_score(labels[valid], peer.labels_) > 0.999
    assert clusters.counts.sum() == valid.sum()


@pytest.mark.parametrize(("n", "k"), [(1, 1), (2, 2), (5, 5), (4097, 1)])
def test_edges_of_k_and_n(n, k):
    """One row, as many clusters as rows, one cluster of everything."""
    x = _clouds(n, 4, 2, 11)
    rows = rows_of(x)

    state, labels, clusters = lloyd_from(rows, seeds_of(rows, k))

    assert sorted(set(labels.tolist())) == list(range(k))
    assert clusters.counts.sum() == n
    assert state.inertia[0] == pytest.approx(0.0 if n == k else ((x - x.mean(axis=0)) ** 2).sum(), rel=1e-5, abs=1e-9)


def test_most_iterations_are_kept_to():
    """A run cut off at two iterations has labels that fit its centres."""
    x = _clouds(5000, 10, 9, 12)
    rows = rows_of(x)

    state, labels, _ = lloyd_from(rows, seeds_of(rows, 9), max_iterations=2, tol=0.0)

    distances = ((x[:, None, :] - state.centres[0]) ** 2).sum(axis=2)
    assert state.iterations.tolist() == [2]
    assert (labels == distances.argmin(axis=1)).mean() > 0.999


def test_seeds_are_as_good_as_scikit_learns():
    """Over 20 seeds the mean inertia after k-means++ and Lloyd is within 3 % of scikit-learn's, by the same rule."""
    x = _clouds(3000, 6, 10, 21)
    rows = rows_of(x)

    ours = np.mean([lloyd_from(rows, seeds_of(rows, 10, seed=s))[0].inertia[0] for s in range(20)])
    theirs = np.mean([KMeans(10, n_init=1, random_state=s).fit(x).inertia_ for s in range(20)])

    assert ours == pytest.approx(theirs, rel=0.03)


def test_seeds_are_rows_and_differ_between_starts():
    """Every first centre is one of the rows; no row is taken twice where rows differ; starts draw apart."""
    x = _clouds(6000, 3, 5, 22)
    rows = rows_of(x)

    seeds = seeds_of(rows, 8, starts=3, seed=4)

    known = {row.tobytes() for row in rows.coords[:6000]}
    for start in seeds.astype(np.float32):
        taken = {row.tobytes() for row in start}
        assert taken <= known
        assert len(taken) == 8
    assert len({start.tobytes() for start in seeds}) == 3
