"""The same bytes from 1, 2, 3 and 4 real ranks, and from plain and compiled kernels."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conftest import blobs

from isthmus.core.errors import Corrupt
from isthmus.core.progress import Silent
from isthmus.core.ref import Name
from isthmus.simulate import simulation
from isthmus.simulate.local import LocalScheduler

INTO = Name.parse("gut.clusters")


def _bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "out").iterdir())}


def _run_fresh(make_reads, reads, params, ranks, root):
    lake, ref = make_reads(*reads[0], **reads[1], root=root)
    plan = simulation.make_plan("kmeans", ref, lake, into=INTO, params=params)
    clusters = simulation.simulate(plan, lake, LocalScheduler(), ranks=ranks, progress=Silent())
    facts = lake.read(clusters).commit.facts
    return _bytes_of(Path(str(facts["job_folder"]))), facts, lake.table(clusters)


@pytest.fixture
def reads():
    """13,000 reads over four blocks and three shards, with reads without k-mers and without a half."""
    x, halves, _ = blobs(13_000, 24, 6, seed=3, apart=6.0)
    x[5000:5003], halves[:, 5000:5003] = 0, 0
    halves[1, 12_000] = 0
    lengths = np.random.default_rng(1).integers(2000, 30_000, 13_000)
    return (x, halves), {"shards": [4500, 0, 3000, 5500], "lengths": lengths}


@pytest.mark.parametrize(
    "params", [{"starts": 2, "scale": "self"}, {"starts": 2, "scale": "z", "k": 9}, {"starts": 1, "scale": "unit"}]
)
def test_any_number_of_ranks_gives_the_same_bytes(make_reads, reads, params, monkeypatch):
    """Every output file is the same to the byte on 1, 2, 3, 4 and 6 ranks (two of them without rows), and with plain
    kernels; what the table says follows from them."""
    made = {ranks: _run_fresh(make_reads, reads, params, ranks, f"lake{ranks}") for ranks in (1, 2, 3, 4, 6)}
    monkeypatch.setenv("ISTHMUS_KERNELS", "plain")
    plain = _run_fresh(make_reads, reads, params, 2, "plain")

    first = made[1][0]
    assert sorted(first) == sorted(
        ["labels.npy", "confidence.npy", "flags.npy", "scaling_mean.npy", "scaling_matrix.npy", "centres.npy"]
        + [f"part-{i:05d}.npy" for i in range(4)]
    )
    for ranks in (2, 3, 4, 6):
        assert made[ranks][0] == first, f"{ranks} ranks"
    assert plain[0] == first
    assert plain[1]["versions"]["kernels"] == "plain Python"
    assert made[3][1]["inertias"] == made[1][1]["inertias"]
    assert made[4][2].equals(made[1][2])


def test_fewer_rows_than_ranks(make_reads):
    """Two reads on four ranks: two ranks have no rows, and the result is that of one rank."""
    x = np.array([[1.0, 2.0], [3.0, 5.0]], np.float32)
    made = [_run_fresh(make_reads, ((x,), {}), {"k": 2, "scale": "none"}, ranks, f"lake{ranks}")[0] for ranks in (1, 4)]

    assert made[0] == made[1]
    assert sorted(np.frombuffer(made[0]["labels.npy"][128:], "<i4").tolist()) == [0, 1]


@pytest.mark.parametrize("scale", ["self", "z", "unit", "none"])
def test_one_read_is_one_cluster(make_reads, scale):
    """N = 1 works with every scale, K known or not."""
    x, halves, _ = blobs(1, 5, 1, seed=1)

    _, facts, table = _run_fresh(make_reads, ((x, halves), {}), {"scale": scale}, 2, "lake")

    assert facts["k"] == 1
    assert table.column("cluster").to_pylist() == [0]
    assert table.column("confidence").to_pylist() == [1.0]


@pytest.mark.parametrize("scale", ["self", "z", "none"])
def test_reads_that_are_all_alike_are_one_cluster(make_reads, scale):
    """Constant rows have no structure: one cluster, no NaN anywhere."""
    x = np.full((300, 6), 0.25, np.float32)

    outputs, facts, _ = _run_fresh(make_reads, ((x, np.stack([x, x])), {}), {"scale": scale}, 2, "lake")

    assert [one["reads"] for one in facts["clusters"]] == [300]
    assert not any(np.isnan(np.frombuffer(outputs[name][128:], "<f4")).any() for name in outputs if "part" in name)


def test_a_product_without_halves_is_clustered_and_not_merged(make_reads):
    """Without halves K stays where k-means begins, and agreement is not known."""
    x, _, _ = blobs(900, 5, 3, seed=5)

    _, facts, _ = _run_fresh(make_reads, ((x,), {}), {}, 2, "lake")

    assert (facts["scale"], facts["k_start"], facts["k"]) == ("z", 18, 18)
    assert facts["merges"] == []
    assert facts["clusters"][0]["halves_agree"] is None


def test_not_a_number_in_a_row_names_the_row(make_reads):
    """NaN in the data ends in an error that says where, and commits nothing."""
    x, halves, _ = blobs(600, 5, 3, seed=5)
    x[417, 2] = np.nan
    lake, ref = make_reads(x, halves)
    plan = simulation.make_plan("kmeans", ref, lake, into=INTO, params={"scale": "z"})

    with pytest.raises(Corrupt, match=r"x, row 417: found NaN"):
        simulation.simulate(plan, lake, LocalScheduler(), ranks=2, progress=Silent())

    assert [str(name) for name in lake.names()] == ["gut.reads"]
