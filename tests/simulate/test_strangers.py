"""Reads that fit no cluster are left without one, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isthmus import api
from isthmus.core.flags import LabelFlag
from isthmus.simulate.programs.strangers import kth_smallest
from isthmus.simulate.programs.world import Alone
from isthmus.testing.genomes import invent_genomes
from isthmus.testing.reads import Sampling, simulate_reads


@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_the_kth_smallest_is_exact(n: int) -> None:
    """As sorting finds it, zeros, ties and large values included."""
    rng = np.random.default_rng(n)
    values = (rng.integers(0, 50, n) * rng.choice([0.0, 1e-30, 0.3, 1e30], n)).astype(np.float32)

    found = [kth_smallest(values, k, Alone()) for k in (0, n // 2, n - 1)]

    assert found == [float(np.sort(values)[k]) for k in (0, n // 2, n - 1)]


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[int, int]]]:
    """Clusters and flags by genome: 600 reads of a common organism, 10 of a rare one of other composition."""
    folder: Path = tmp_path_factory.mktemp("rare")
    genomes = invent_genomes(12, seed=5)
    common, rare = genomes[6], genomes[0]
    reads = list(simulate_reads([common, rare], [600, 10], Sampling(), seed=5))
    (folder / "reads.fastq").write_bytes(b"".join(read.fastq for read in reads))
    lake = api.open(folder / "lake")
    ref = api.simulate(lake, "kmeans", api.embed(lake, [folder / "reads.fastq"]), into="default.clusters", ranks=2)
    table = lake.table(ref).to_pydict()
    found: dict[str, list[tuple[int, int]]] = {common.name: [], rare.name: []}
    for read, cluster, flags in zip(reads, table["cluster"], table["flags"], strict=True):
        found[read.label].append((cluster, flags))
    return {"common": found[common.name], "rare": found[rare.name]}


def test_a_rare_organism_is_not_swallowed(labels: dict[str, list[tuple[int, int]]]) -> None:
    """Most of its reads are outside the common one's cluster: unassigned and flagged so, or in one of their own."""
    main = max(set(labels["common"]), key=labels["common"].count)[0]

    outside = [(cluster, flags) for cluster, flags in labels["rare"] if cluster != main]

    assert len(outside) >= 8
    assert all(cluster >= 0 or flags & LabelFlag.UNASSIGNED for cluster, flags in outside)


def test_the_common_organism_keeps_its_reads(labels: dict[str, list[tuple[int, int]]]) -> None:
    """At most one read in fifty of the common one is left out (its foreign islands are unlike the rest)."""
    lost = sum(cluster < 0 for cluster, _ in labels["common"])

    assert lost <= 600 / 50
