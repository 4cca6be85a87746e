"""What phase 2 refuses to compute on: bytes that are not those that were committed, and fewer than one rank."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from isthmus.backbone.lake import Lake
from isthmus.core.errors import Corrupt, InvalidInput
from isthmus.core.job import Job
from isthmus.core.progress import Silent
from isthmus.core.ref import Name, Ref
from isthmus.simulate import jobs, simulation
from isthmus.simulate.local import LocalScheduler

sys.path.insert(0, str(Path(__file__).parent))
from conftest import blobs

INTO = Name.parse("gut.clusters")


def _simulate(lake: Lake, ref: Ref, *, ranks: int = 2) -> Ref:
    plan = simulation.make_plan("kmeans", ref, lake, into=INTO, params={"k": 3, "starts": 1})
    return simulation.simulate(plan, lake, LocalScheduler(), ranks=ranks, progress=Silent())


def _xor(raw: bytearray) -> None:
    raw[5000] ^= 0xFF


def _zero(raw: bytearray) -> None:
    raw[2000:22000] = bytes(20_000)


def _not_a_number(raw: bytearray) -> None:
    raw[128:132] = np.float32(np.nan).tobytes()


@pytest.mark.parametrize("kind", ["part", "halves"])
@pytest.mark.parametrize("damage", [_xor, _zero, _not_a_number])
def test_a_damaged_shard_is_never_clustered(make_reads, kind: str, damage) -> None:
    """A flipped byte, zeros or a NaN in any shard or half: Corrupt with the file, found, expected; no job."""
    x, halves, _ = blobs(3000, 8, 3, seed=5)
    lake, ref = make_reads(x, halves, shards=(1000, 2000))
    [path] = lake.root.glob(f"gut/reads/arrays/*/{kind}-00001.npy")
    raw = bytearray(path.read_bytes())
    damage(raw)
    path.write_bytes(raw)

    with pytest.raises(Corrupt, match=rf"{path}: found checksum [0-9a-f]+; expected [0-9a-f]+; restore it"):
        _simulate(lake, ref)

    assert not (lake.scratch / "jobs").exists()
    assert INTO not in lake.names()


def test_a_damaged_table_is_corrupt_too(make_reads) -> None:
    """A flipped byte of the Parquet file that the ranks' columns come from is found before a rank starts."""
    x, halves, _ = blobs(3000, 8, 3, seed=5)
    lake, ref = make_reads(x, halves)
    [path] = lake.root.glob("gut/reads/data/*.parquet")
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3] ^= 0xFF
    path.write_bytes(raw)

    with pytest.raises(Corrupt, match=str(path)):
        _simulate(lake, ref)


def test_the_checksums_are_read_each_time(make_reads) -> None:
    """Nothing is remembered: a shard that is damaged after a first run, with size and time kept, is found."""
    x, halves, _ = blobs(3000, 8, 3, seed=5)
    lake, ref = make_reads(x, halves)
    plan = simulation.make_plan("kmeans", ref, lake, into=INTO, params={"k": 3})
    simulation.prepare(plan, lake, ranks=1)
    [path] = lake.root.glob("gut/reads/arrays/*/part-00000.npy")
    before, raw = path.stat(), bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    with pytest.raises(Corrupt, match=path.name):
        simulation.prepare(plan, lake, ranks=1)


def test_values_that_are_no_numbers_are_corrupt_and_say_where(make_reads) -> None:
    """NaN that was committed as such, checksum and all, is Corrupt, not a failure to write JSON."""
    x, halves, _ = blobs(3000, 8, 3, seed=5)
    x[1234, 3] = np.nan
    lake, ref = make_reads(x, halves)

    with pytest.raises(Corrupt, match=r"row 1,234: found NaN or infinity"):
        _simulate(lake, ref)

    assert INTO not in lake.names()


def test_a_rank_that_found_damage_is_corrupt_to_the_driver(tmp_path: Path) -> None:
    """The kind of the first rank's error is kept: damage that only a rank sees has the exit code of damage."""
    record = {"rank": 1, "host": "h", "when": "2026-01-01T00:00:00Z", "type": "Corrupt", "message": "part-3: found x"}
    (tmp_path / "error-rank-0001.json").write_text(json.dumps(record))

    error = jobs.failure(Job("0" * 32, 1, 0, tmp_path), "kmeans", 1, "launcher.log")

    assert isinstance(error, Corrupt)
    assert "part-3: found x" in str(error)


@pytest.mark.parametrize("ranks", [0, -1])
def test_fewer_than_one_rank_is_refused_even_where_the_work_is_done(make_reads, ranks: int) -> None:
    """`ranks` is judged before the plan is looked up."""
    x, halves, _ = blobs(2000, 8, 3, seed=5)
    lake, ref = make_reads(x, halves)
    _simulate(lake, ref, ranks=1)

    with pytest.raises(InvalidInput, match="at least 1"):
        _simulate(lake, ref, ranks=ranks)
