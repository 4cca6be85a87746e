"""Quality on real genomes cannot rot unseen: a cut-down run of benchmarks/quality.py, through the real product."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "quality.py"


@pytest.fixture(scope="module")
def quality() -> ModuleType:
    """The benchmark as a module."""
    spec = importlib.util.spec_from_file_location("quality_benchmark", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_balanced_reads_of_real_genomes(quality: ModuleType, real_data: Path, tmp_path: Path) -> None:
    """Told K, scale self beats the z-scored kernel on two lists, and shuffled labels score nothing."""
    files = quality.genome_files(real_data)

    rounds = quality.balanced_rounds(files, tmp_path, lists=3, reads=120, seed=1)[1:]

    own = [one["isthmus, scale self"] for one in rounds]
    assert min(own) > 0.85, own
    assert quality.mean_ratio(rounds, "isthmus, scale self", "z-scored kernel (published basis)") > 1.08
    assert quality.mean_ratio(rounds, "isthmus, scale self", "control: GC only") > 1.5
    assert max(abs(one["control: labels shuffled"]) for one in rounds) < 0.03


@pytest.mark.slow
def test_uneven_communities_of_real_genomes(quality: ModuleType, real_data: Path, tmp_path: Path) -> None:
    """With K unknown more genomes are recovered than by the z-scored kernel that is told K; two lists."""
    files = quality.genome_files(real_data)

    rounds = quality.uneven_rounds(files, tmp_path, lists=2, reads=4_000, seed=1)

    own = [one["isthmus, K unknown"] for one in rounds]
    assert min(own) >= 8, own
    assert quality.mean_ratio(rounds, "isthmus, K unknown", "z-scored kernel (published basis), told K") > 1.4
    assert max(one["control: labels shuffled"] for one in rounds) == 0


@pytest.mark.slow
def test_one_genome_alone_is_one_cluster(quality: ModuleType, real_data: Path, tmp_path: Path) -> None:
    """At least three of four genomes, alone and with K unknown, end as one cluster."""
    files = quality.genome_files(real_data)

    rounds = quality.single_rounds(files, tmp_path, count=4, seed=1)

    assert sum(one["clusters"] == 1 for one in rounds) >= 3


def test_published_basis_spans_the_same_subspace(quality: ModuleType) -> None:
    """The baseline's basis is a rotation of the product's: distances are the same, columns are not."""
    rotation = quality.published_rotation()

    assert np.allclose(rotation.T @ rotation, np.eye(103), atol=1e-6)
    assert not np.allclose(np.abs(rotation), np.eye(103), atol=0.1)


def test_recovered_counts_bases_not_reads(quality: ModuleType) -> None:
    """90 % of a genome's bases in one cluster that is 95 % its own; a short stray read does not matter, a long does."""
    truth = np.array([0] * 10 + [1] * 10)
    length = np.array([1000] * 20)
    labels = truth.copy()
    labels[0] = 1  # one read of genome 0 went astray: 90 % of it is left, but the other cluster is 10/11 pure

    def count(lengths: np.ndarray) -> int:
        reads = quality.Reads(None, None, ("a", "b"), truth, lengths, np.zeros(20), np.zeros((20, 103)))
        return int(quality.recovered(reads, labels))

    short, long = length.copy(), length.copy()
    short[0], long[0] = 100, 5000
    assert count(length) == 1
    assert count(short) == 2
    assert count(long) == 0
