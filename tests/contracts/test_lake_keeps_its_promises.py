"""The lake against a model in memory: any sequence of commits, repeats and questions."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from isthmus.backbone.lake import Lake
from isthmus.core.ref import Name
from isthmus.testing.changes import rows_of, small_change, small_plan

NAMES = [Name("gut", "reads"), Name("soil", "reads")]


class LakeMachine(RuleBasedStateMachine):
    """Each product is a list of versions, each version a list of records; a plan has at most one version."""

    @initialize()
    def open_lake(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.lake = Lake.open(Path(self.folder.name) / "lake")
        self.versions: dict[Name, list[list[int]]] = {name: [] for name in NAMES}
        self.plans: dict[tuple[Name, int], int] = {}
        self.order: list[tuple[Name, int]] = []

    @rule(
        name=st.sampled_from(NAMES),
        seed=st.integers(0, 6),
        verb=st.sampled_from(["append", "replace"]),
        rows=st.integers(0, 5),
    )
    def commit(self, name: Name, seed: int, verb: str, rows: int) -> None:
        known = self.plans.get((name, seed))
        ref = self.lake.commit(small_change(self.lake, name, seed, verb=verb, rows=rows)) if known is None else None
        if known is not None:
            again = small_change(self.lake, name, seed, rows=len(self.added(name, known)))
            assert self.lake.commit(again) == name.at(known)
            return
        versions = self.versions[name]
        before = versions[-1] if versions and verb == "append" else []
        versions.append(before + [seed * 1000 + row for row in range(rows)])
        self.plans[name, seed] = len(versions)
        self.order.append((name, len(versions)))
        assert ref == name.at(len(versions))

    def added(self, name: Name, version: int) -> list[int]:
        seed = next(s for (n, s), v in self.plans.items() if (n, v) == (name, version))
        return [record for record in self.versions[name][version - 1] if record // 1000 == seed]

    @rule(name=st.sampled_from(NAMES), data=st.data())
    def read_any_version(self, name: Name, data: st.DataObject) -> None:
        if not self.versions[name]:
            return
        version = data.draw(st.integers(1, len(self.versions[name])))
        ref, records = name.at(version), np.array(self.versions[name][version - 1], np.int64)
        snapshot = self.lake.read(ref)
        table = self.lake.table(ref, ["record", "shard", "row_in_shard"])
        starts = np.cumsum([0, *(shard.rows for shard in snapshot.manifest.shards)])
        at = starts[table["shard"].to_numpy()] + table["row_in_shard"].to_numpy()
        assert table["record"].to_pylist() == records.tolist()
        assert np.array_equal(np.asarray(self.lake.array(ref))[at], rows_of(records).reshape(-1, 3))
        assert snapshot.commit.rows == len(records)
        assert self.lake.verify(ref) > 0

    @rule(seen=st.fixed_dictionaries({}, optional={str(name): st.integers(0, 7) for name in NAMES}))
    def ask_since(self, seen: dict[str, int]) -> None:
        expected = [name.at(version) for name, version in self.order if version > seen.get(str(name), 0)]
        assert sorted(commit.ref for commit in self.lake.since(seen)) == sorted(expected)

    @rule()
    def open_again(self) -> None:
        self.lake = Lake.open(self.lake.root, create=False)

    @invariant()
    def names_and_plans_are_known(self) -> None:
        if not hasattr(self, "lake"):
            return
        assert self.lake.names() == [name for name in NAMES if self.versions[name]]
        for (name, seed), version in self.plans.items():
            assert self.lake.find(name, small_plan(name, seed).id) == name.at(version)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()


TestLake = LakeMachine.TestCase
TestLake.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
