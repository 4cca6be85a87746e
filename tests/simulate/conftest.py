"""Small real lakes with a product of reads, made through the lake's own door."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from isthmus.backbone.arrays import HalvesWriter, Manifest, RowWriter, Shard
from isthmus.backbone.checksum import xxh3_128_file
from isthmus.backbone.lake import Change, Lake
from isthmus.backbone.schema import READS
from isthmus.core.flags import ReadFlag
from isthmus.core.plan import Plan
from isthmus.core.ref import Name, Ref

MakeReads = Callable[..., tuple[Lake, Ref]]


@pytest.fixture
def make_reads(tmp_path: Path) -> MakeReads:
    """make_reads(x, halves=None, shards=(...), lengths=None) -> (lake, Ref): a committed product of reads."""

    def make(
        x: np.ndarray,
        halves: np.ndarray | None = None,
        *,
        shards: Sequence[int] | None = None,
        lengths: np.ndarray | None = None,
        flags: np.ndarray | None = None,
        name: str = "gut.reads",
        root: str = "lake",
    ) -> tuple[Lake, Ref]:
        lake = Lake.open(tmp_path / root)
        sizes = [len(x)] if shards is None else list(shards)
        plan = Plan("test-reads", 1, Name.parse(name), (), {"rows": len(x), "salt": str(x.tobytes()[:64])})
        folder = lake.array_folder(plan.target, plan.id)
        manifest = _write(folder, x.astype(np.float32), halves, sizes)
        lengths = np.full(len(x), 5000) if lengths is None else lengths
        flags = _flags(x, halves) if flags is None else flags
        table = _table(sizes, lengths, flags)
        ref = lake.commit(Change(plan.target, "replace", plan, READS, table.to_batches(max_chunksize=1000), manifest))
        return lake, ref

    return make


def blobs(
    n: int, dim: int, k: int, *, seed: int, spread: float = 1.0, apart: float = 8.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(x, halves, truth): k Gaussian clouds; a read is the mean of its two halves, which scatter about it."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(k, dim)) * apart / np.sqrt(dim)
    truth = rng.integers(0, k, n)
    halves = centres[truth] + rng.normal(size=(2, n, dim)) * spread
    return halves.mean(axis=0).astype(np.float32), halves.astype(np.float32), truth


def _flags(x: np.ndarray, halves: np.ndarray | None) -> np.ndarray:
    flags = np.where((x == 0).all(axis=1), int(ReadFlag.NO_KMERS | ReadFlag.HALF_EMPTY), 0)
    if halves is not None:
        flags |= np.where((halves == 0).all(axis=2).any(axis=0), int(ReadFlag.HALF_EMPTY), 0)
    return flags


def _write(folder: Path, x: np.ndarray, halves: np.ndarray | None, sizes: Sequence[int]) -> Manifest:
    own: list[Shard] = []
    pairs: list[Shard] = []
    ends = np.cumsum([0, *sizes])
    for i, (lo, hi) in enumerate(itertools.pairwise(ends.tolist())):
        path = folder / f"part-{i:05d}.npy"
        with RowWriter(path, x.shape[1]) as rows:
            rows.append(x[lo:hi])
        own.append(Shard(path.name, int(hi - lo), xxh3_128_file(path)))
        if halves is not None:
            path = folder / f"halves-{i:05d}.npy"
            with HalvesWriter(path, x.shape[1]) as both:
                both.append(halves[:, lo:hi].astype(np.float32))
            pairs.append(Shard(path.name, int(hi - lo), xxh3_128_file(path)))
    return Manifest("<f4", x.shape[1], len(x), tuple(own), tuple(pairs), {"name": "test", "version": 1})


def _table(sizes: Sequence[int], lengths: np.ndarray, flags: np.ndarray) -> pa.Table:
    n = sum(sizes)
    columns = {
        "id": [f"read{i}" for i in range(n)],
        "shard": np.repeat(np.arange(len(sizes)), sizes).astype(np.int32),
        "row_in_shard": np.concatenate([np.arange(size) for size in sizes]).astype(np.int32),
        "record": np.arange(n, dtype=np.int64),
        "source": ["reads.fastq"] * n,
        "sample": ["gut"] * n,
        "length": lengths.astype(np.int32),
        "gc": np.linspace(0.3, 0.6, n).astype(np.float32),
        "mean_quality": np.full(n, 20, np.float32),
        "n_ambiguous": np.zeros(n, np.int32),
        "flags": flags.astype(np.int32),
    }
    return pa.table(columns, schema=READS)
