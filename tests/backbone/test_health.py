"""The check-up of a lake: products that are half there, and inputs of products that cannot be read any more."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from isthmus import doctor
from isthmus.backbone import health
from isthmus.backbone.lake import Change, Lake
from isthmus.backbone.schema import CLUSTERS
from isthmus.core.errors import Corrupt
from isthmus.core.plan import Plan
from isthmus.core.ref import Name
from isthmus.core.settings import Settings
from isthmus.testing.changes import small_change

READS, LABELS = Name("gut", "reads"), Name("gut", "clusters")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """gut.reads@1, and gut.clusters@1 made of it."""
    made = Lake.open(tmp_path / "lake")
    reads = made.commit(small_change(made, READS, 1))
    plan = Plan("kmeans", 1, LABELS, (reads,), {"k": 2})
    made.commit(Change(LABELS, "replace", plan, CLUSTERS, []))
    return made


def findings(lake: Lake) -> list[doctor.Finding]:
    return doctor.examine_lake(Settings(lake=str(lake.root), scratch=None, threads=1, mem_bytes=1 << 30, origins=()))


def test_a_sound_lake_has_nothing_to_report(lake: Lake) -> None:
    """No finding is bad, and none speaks of something lost."""
    assert health.half_there(lake) == []
    assert health.lost_inputs(lake) == []
    assert [one.what for one in findings(lake)] == ["lake", "gut.clusters", "gut.reads"]
    assert all(one.ok for one in findings(lake))


@pytest.mark.parametrize("kept", ["arrays", "data", "both"])
def test_a_product_without_its_log_is_bad(lake: Lake, kept: str) -> None:
    """Rows or arrays of a product whose log is gone: Corrupt, with the folder and what to do."""
    folder = lake.root / "gut" / "reads"
    for part in {"arrays": ["_delta_log", "data"], "data": ["_delta_log", "arrays"], "both": ["_delta_log"]}[kept]:
        shutil.rmtree(folder / part)

    bad = [one for one in findings(lake) if not one.ok]

    assert bad
    assert all(isinstance(one.error, Corrupt) and str(folder) in str(one.error) for one in bad)
    assert any("restore" in str(one.error) and "_delta_log" in str(one.error) for one in bad)


def test_a_log_that_lost_its_commits_is_bad(lake: Lake) -> None:
    """The log is there, with the empty table only, and something was made of version 1: Corrupt."""
    (lake.root / "gut" / "reads" / "_delta_log" / f"{1:020d}.json").unlink()

    [bad] = [one for one in findings(lake) if not one.ok]

    assert isinstance(bad.error, Corrupt)
    assert "gut.reads@1" in str(bad.error)
    assert "gut.clusters@1" in str(bad.error)


def test_an_input_that_is_gone_altogether_is_told_and_not_bad(lake: Lake) -> None:
    """Somebody may have deleted it on purpose: the finding names it and who was made of it, and is ok."""
    shutil.rmtree(lake.root / "gut" / "reads")

    found = findings(lake)

    assert all(one.ok for one in found)
    [told] = [one for one in found if one.what == "gut.reads@1"]
    assert "gut.clusters@1" in told.found
    assert "gone" in told.found


def test_work_in_progress_is_no_damage(lake: Lake) -> None:
    """Shards that were written and wait for their first commit are what an interrupted run leaves."""
    folder = lake.array_folder(Name("soil", "reads"), "f" * 32)
    (folder / "part-00000-00000.npy").write_bytes(b"x")
    (lake.root / "_scratch" / "parts").mkdir(parents=True)

    assert all(one.ok for one in findings(lake))


def test_a_damaged_record_is_bad_and_the_rest_is_looked_at(lake: Lake) -> None:
    """Junk in the log of one product is a finding of that product; the check-up goes on."""
    (lake.root / "gut" / "clusters" / "_delta_log" / f"{1:020d}.json").write_bytes(b"junk")

    found = {one.what: one for one in findings(lake)}

    assert not found["gut.clusters"].ok
    assert isinstance(found["gut.clusters"].error, Corrupt)
    assert found["gut.reads"].ok
