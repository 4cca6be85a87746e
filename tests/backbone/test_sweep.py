"""Sweeping: leftovers go, what a version or an unfinished plan needs stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from isthmus.backbone.lake import Lake
from isthmus.backbone.sweep import orphans, sweep
from isthmus.core.ref import Name
from isthmus.testing.changes import small_change, small_plan

NAME = Name("gut", "reads")


def leftovers(lake: Lake) -> list[Path]:
    """What killed writers leave: a Parquet file, a manifest, a half-made table, a temporary file, a plan's shards."""
    product = lake.root / "gut" / "reads"
    done = small_plan(NAME, 1).id
    paths = [
        product / "data" / "000000000001-dead-00000.parquet",
        product / "arrays" / done / "manifest-dead.json",
        product / "arrays" / done / ".0000.npy.dead.tmp",
        product / ".new-dead" / "_delta_log" / "0.json",
    ]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    small_change(lake, NAME, 9)
    return sorted([*paths[:3], paths[3].parents[1], product / "arrays" / small_plan(NAME, 9).id])


def age(root: Path) -> None:
    for path in [*root.rglob("*"), root]:
        os.utime(path, (1, 1))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake.open(tmp_path / "lake")
    for seed, verb in ((1, "append"), (2, "append"), (3, "replace")):
        lake.commit(small_change(lake, NAME, seed, verb=verb))
    return lake


def test_leftovers_are_found_and_swept_and_every_version_stays(lake: Lake) -> None:
    """All five kinds of leftovers go; every version, old ones too, still verifies."""
    expected = leftovers(lake)
    age(lake.root)

    found = orphans(lake)
    freed = sweep(found)

    assert found == expected
    assert freed > 20
    assert not any(path.exists() for path in expected)
    for version in (1, 2, 3):
        assert lake.verify(NAME.at(version)) > 0
    assert orphans(lake) == []


def test_young_leftovers_and_unfinished_plans_stay(lake: Lake) -> None:
    """What is young may belong to a writer at work; shards of an unfinished plan are to be used again."""
    expected = leftovers(lake)
    assert orphans(lake) == []
    age(lake.root)
    plan = small_plan(NAME, 9).id
    young = lake.root / "gut" / "reads" / "data" / "000000000001-dead-00000.parquet"
    os.utime(young)

    found = orphans(lake, unfinished=[plan])

    assert set(expected) - set(found) == {young, lake.array_folder(NAME, plan)}
    sweep(found)
    assert lake.commit(small_change(lake, NAME, 9)) == NAME.at(4)


def test_clean_lake_and_foreign_folders_have_no_orphans(lake: Lake) -> None:
    """A clean lake has none; scratch and folders that are no products are not looked at."""
    (lake.root / "_scratch" / "jobs" / "data").mkdir(parents=True)
    (lake.root / "gut" / "Notes" / "data").mkdir(parents=True)
    age(lake.root)

    assert orphans(lake) == []
