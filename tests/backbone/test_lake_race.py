"""Writers at the same moment: real processes, one lake."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from isthmus.backbone.delta import ProductTable
from isthmus.backbone.lake import Lake
from isthmus.core.ref import Name, Ref
from isthmus.testing.changes import rows_of, small_change, small_plan

NAME = Name("gut", "reads")


class Writer:
    """A process that commits to `root` what it is told, one line each."""

    def __init__(self, root: Path) -> None:
        argv = [sys.executable, "-m", "isthmus.testing.changes", str(root)]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def wait_ready(self) -> None:
        assert self.process.stdout.readline() == "ready\n"

    def tell(self, *lines: str) -> None:
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def answer(self) -> dict:
        return json.loads(self.process.stdout.readline())


@pytest.fixture
def writers(tmp_path: Path):
    """Starts writers on one lake that does not exist yet; they make it in a race; ends them at the end."""
    started: list[Writer] = []

    def start(n: int) -> list[Writer]:
        started.extend(Writer(tmp_path / "lake") for _ in range(n))
        for writer in started:
            writer.wait_ready()
        return started

    yield start
    for writer in started:
        writer.process.stdin.close()
        writer.process.wait(20)
        writer.process.stdout.close()


def check_version(lake: Lake, ref: Ref, seeds: list[int], rows: int) -> None:
    """One version holds exactly the rows of `seeds`, in that order, and its table points at the right rows."""
    table, array = lake.table(ref), lake.array(ref)
    values = np.concatenate([np.arange(rows) + seed * 1000 for seed in seeds])
    assert table["record"].to_pylist() == values.tolist()
    manifest = lake.read(ref).manifest
    starts = np.cumsum([0, *(shard.rows for shard in manifest.shards)])
    where = starts[table["shard"].to_numpy()] + table["row_in_shard"].to_numpy()
    assert np.array_equal(array[where], rows_of(values))
    assert np.array_equal(lake.halves(ref)[1, :], -np.asarray(array))
    assert lake.verify(ref) > 0


def parquet_files(lake: Lake) -> int:
    return len(list((lake.root / "gut" / "reads" / "data").iterdir()))


@pytest.mark.parametrize("verb", ["replace", "append"])
def test_two_writers_of_one_plan_make_one_commit(writers, tmp_path: Path, verb: str) -> None:
    """Two processes that commit one plan at the same moment get the same Ref, and there is one version of it."""
    both = writers(2)

    refs = []
    for seed in range(12):
        for writer in both:
            writer.tell(f"{NAME} {verb} {seed} 4")
        first, second = (writer.answer() for writer in both)
        assert first == second, (first, second)
        refs.append(first["ref"])

    lake = Lake.open(tmp_path / "lake", create=False)
    assert refs == [f"gut.reads@{version}" for version in range(1, 13)]
    assert [commit.plan for commit in reversed(lake.history(NAME))] == [small_plan(NAME, s).id for s in range(12)]
    check_version(lake, NAME.at(12), list(range(12)) if verb == "append" else [11], 4)
    assert parquet_files(lake) == 12  # the losers have taken theirs away
    assert len(list(lake.root.glob("gut/reads/arrays/*/manifest*.json"))) == 12


@pytest.mark.parametrize("verbs", [("append",), ("replace",), ("append", "append", "append", "replace")])
def test_eight_writers_lose_and_double_nothing(writers, tmp_path: Path, verbs: tuple[str, ...]) -> None:
    """Eight processes with plans of their own: every commit lands once, and each version is what its history says."""
    eight = writers(8)
    each = 5

    for i, writer in enumerate(eight):
        seeds = [i * each + j for j in range(each)]
        writer.tell(*(f"{NAME} {verbs[seed % len(verbs)]} {seed} 3" for seed in seeds))
    answers = [writer.answer() for writer in eight for _ in range(each)]

    lake = Lake.open(tmp_path / "lake", create=False)
    assert [answer for answer in answers if "error" in answer] == []
    assert Counter(answer["ref"] for answer in answers) == Counter(f"{NAME}@{v}" for v in range(1, 8 * each + 1))
    holds: list[int] = []
    for commit in reversed(lake.history(NAME)):
        seed = commit.params["seed"]
        holds = [*holds, seed] if commit.verb == "append" else [seed]
        assert commit.rows == 3 * len(holds)
        if commit.ref.version % 8 == 0:
            check_version(lake, commit.ref, holds, 3)
    assert parquet_files(lake) == 8 * each


def test_writers_of_different_products_do_not_meet(writers, tmp_path: Path) -> None:
    """Commits to two products at once land at version 1 of each."""
    both = writers(2)

    both[0].tell("gut.one append 1 3")
    both[1].tell("gut.two append 1 3")

    assert {writer.answer()["ref"] for writer in both} == {"gut.one@1", "gut.two@1"}
    assert Lake.open(tmp_path / "lake").names() == [Name("gut", "one"), Name("gut", "two")]


def test_plan_committed_meanwhile_by_another_is_found(tmp_path: Path) -> None:
    """A writer that prepared the same change before another committed it gets the other's Ref, and leaves no file."""
    lake = Lake.open(tmp_path / "lake")
    mine, theirs = (small_change(lake, NAME, 7) for _ in range(2))
    later = small_change(lake, NAME, 8)

    ref = lake.commit(theirs)
    lake.commit(later)

    assert lake.commit(mine) == ref == lake.find(NAME, mine.plan.id) == NAME.at(1)
    assert parquet_files(lake) == 2


def test_first_commits_of_new_products_race(writers, tmp_path: Path) -> None:
    """Three processes make a product that does not exist yet with one plan: version 1 and no other, 40 times of 40."""
    three = writers(3)

    refs = []
    for seed in range(40):
        for writer in three:
            writer.tell(f"gut.p{seed} append {seed} 2")
        refs.append({writer.answer()["ref"] for writer in three})

    assert refs == [{f"gut.p{seed}@1"} for seed in range(40)]
    lake = Lake.open(tmp_path / "lake")
    assert [lake.newest(Name("gut", f"p{seed}")).version for seed in range(40)] == [1] * 40


def test_same_plan_slipping_in_at_any_look_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever look at the disk the other writer's commit comes before, the plan has one version."""
    for nth in range(1, 12):
        lake = Lake.open(tmp_path / f"lake{nth}")
        mine, theirs, other = small_change(lake, NAME, 7), small_change(lake, NAME, 7), small_change(lake, NAME, 8)
        lake.commit(other)
        calls = 0
        newest = ProductTable.newest

        def slipped(self, lake=lake, theirs=theirs, newest=newest, nth=nth) -> int:
            nonlocal calls
            calls += 1
            if calls == nth:
                lake.commit(theirs)
            return newest(self)

        with monkeypatch.context() as patch:
            patch.setattr(ProductTable, "newest", slipped)
            ref = lake.commit(mine)

        assert ref == NAME.at(2), nth
        assert lake.newest(NAME) == NAME.at(2)
        check_version(lake, ref, [8, 7], 3)
