"""The lake: names, versions, times, reading, refusing."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest
from deltalake import DeltaTable

from isthmus.backbone import committing, place
from isthmus.backbone.arrays import Manifest, Shard
from isthmus.backbone.delta import ProductTable
from isthmus.backbone.lake import Change, Lake
from isthmus.backbone.rows import GROUP_ROWS
from isthmus.backbone.schema import CLUSTERS, READS
from isthmus.core.errors import Bug, Conflict, Corrupt, InvalidInput, NotFound
from isthmus.core.plan import FileInput, Plan
from isthmus.core.ref import Name, Ref
from isthmus.testing.changes import rows_of, small_change, small_plan

NAME = Name("gut", "reads")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "lake")


def committed(lake: Lake, *seeds: int, verb: str = "append", rows: int = 3) -> list[Ref]:
    return [lake.commit(small_change(lake, NAME, seed, verb=verb, rows=rows)) for seed in seeds]


# opening


def test_open_makes_a_lake_and_opens_it_again(tmp_path: Path) -> None:
    """A missing folder becomes a lake; the second opening changes nothing; scratch lies inside unless named."""
    root = tmp_path / "a" / "lake"

    first, before = Lake.open(root), (root / "isthmus-lake.json").stat().st_mtime_ns
    second = Lake.open(root, scratch=tmp_path / "fast", create=False)

    assert first.scratch == root / "_scratch"
    assert second.scratch == tmp_path / "fast"
    assert [path.name for path in root.iterdir()] == ["isthmus-lake.json"]
    assert (root / "isthmus-lake.json").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("prepare", "error", "words"),
    [
        (lambda p: p.write_text("x"), InvalidInput, "found a file.*another --lake"),
        (lambda p: (p.mkdir(), (p / "photo.jpg").touch()), InvalidInput, "not a lake .it holds photo.jpg"),
        (
            lambda p: (p.mkdir(), (p / "isthmus-lake.json").write_text('{"format": "isthmus-lake/2"}')),
            InvalidInput,
            "'isthmus-lake/2'; expected 'isthmus-lake/1'; use the version of isthmus that wrote it",
        ),
        (lambda p: (p.mkdir(), (p / "isthmus-lake.json").write_text("[]")), InvalidInput, "format None"),
        (lambda p: (p.mkdir(), (p / "isthmus-lake.json").write_text("{")), Corrupt, "not valid JSON"),
    ],
)
def test_open_refuses_what_is_no_lake(tmp_path: Path, prepare, error: type[Exception], words: str) -> None:
    """A file, a folder of other things, another version and a broken marker are refused and left as they are."""
    place = tmp_path / "lake"
    prepare(place)
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(error, match=words):
        Lake.open(place)

    assert sorted(tmp_path.rglob("*")) == before


def test_open_without_create_says_there_is_none(tmp_path: Path) -> None:
    """create=False on a missing or empty folder is NotFound and makes nothing."""
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(NotFound, match="there is no lake here"):
            Lake.open(folder, create=False)
    assert list(tmp_path.iterdir()) == []


def test_open_refuses_addresses_files_in_the_way_and_encoded_names(tmp_path: Path) -> None:
    """An object-store address, a file as parent folder and a name like a%20b each get a clear word."""
    (tmp_path / "file").touch()

    with pytest.raises(InvalidInput, match="expected a folder"):
        Lake.open("s3://bucket/lake")
    with pytest.raises(InvalidInput, match="found a file in its path"):
        Lake.open(tmp_path / "file" / "lake")
    with pytest.raises(InvalidInput, match="hexadecimal"):
        Lake.open(tmp_path / "a%20b")


def test_open_where_nobody_may_write(tmp_path: Path) -> None:
    """A place without permission is InvalidInput that names it; a lake that may only be read still opens."""
    locked, readable = tmp_path / "locked", tmp_path / "readable"
    committed(Lake.open(readable), 1)
    locked.mkdir()
    code = f"""
import os
from isthmus.backbone.lake import Lake
from isthmus.core.errors import InvalidInput
if os.getuid() == 0:  # root may write everywhere: become nobody
    os.setgid(65534)
    os.setuid(65534)
print(len(Lake.open({str(readable)!r}).table(Lake.open({str(readable)!r}).resolve('gut.reads'))))
try:
    Lake.open({str(locked / "lake")!r})
except InvalidInput as error:
    print(error)
"""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    locked.chmod(0o555)

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout.splitlines()[0] == "3", done.stderr
    assert "cannot be made or read here (Permission denied); choose a folder you may write to" in done.stdout


@pytest.mark.parametrize("place", ["with space", "ünïcode", "a#b?c", "100%", "a+b&c'd"])
def test_any_folder_name_will_do(tmp_path: Path, place: str) -> None:
    """Lakes work in folders with blanks, accents and signs that mean something in addresses."""
    lake = Lake.open(tmp_path / place)

    refs = committed(lake, 1, 2)

    assert len(lake.table(refs[1])) == 6
    assert lake.array(refs[1]).shape == (6, 3)
    assert [path.name for path in tmp_path.iterdir()] == [place]


# names and versions


def test_names_lists_only_products_with_a_commit(lake: Lake) -> None:
    """A folder of shards without a commit, scratch and foreign folders are no products."""
    lake.array_folder(Name("gut", "planned"), "0" * 32)
    (lake.root / "_scratch" / "jobs" / "_delta_log").mkdir(parents=True)
    committed(lake, 1)

    assert lake.names() == [NAME]
    assert Lake.open(lake.root).names() == [NAME]


def test_resolve_reads_newest_number_and_time(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name means the newest version, a number that one, a time the newest committed at or before it, in UTC."""
    times = iter(["2026-11-20T09:00:00.000+00:00", "2026-11-23T10:00:00.000+00:00", "2026-11-24T00:00:00.000+00:00"])
    monkeypatch.setattr(committing, "now_utc", lambda: next(times))
    committed(lake, 1, 2, 3)

    meant = {
        "gut.reads": 3,
        "gut.reads@1": 1,
        "gut.reads@3": 3,
        "gut.reads@2026-11-23T10:00": 2,
        "gut.reads@2026-11-23T09:59:59": 1,
        "gut.reads@2026-11-23T09:30-01:00": 2,
        "gut.reads@2026-11-23": 2,
        "gut.reads@2026-11-22": 1,
        "gut.reads@2030-01-01": 3,
    }
    assert {text: lake.resolve(text).version for text in meant} == meant


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("gut.raeds", NotFound, "did you mean gut.reads?"),
        ("zzz.qqqqqq", NotFound, "there are gut.reads"),
        ("gut.reads@9", NotFound, "gut.reads@9 does not exist; gut.reads has versions 1 to 2"),
        ("gut.reads@0", InvalidInput, "versions count from 1"),
        ("gut.reads@2001-01-01", NotFound, "no version at 2001-01-01T23:59:59.*its first is of"),
        ("gut.reads@yesterday", InvalidInput, "neither a version nor a time; write gut.reads@12"),
        ("gut.reads@2026-13-01", InvalidInput, "neither a version nor a time"),
        ("Gut.Reads", InvalidInput, "is not a name"),
        ("gut.reads@", InvalidInput, "neither a version nor a time"),
    ],
)
def test_resolve_says_what_is_there(lake: Lake, text: str, error: type[Exception], words: str) -> None:
    """Unknown names and versions raise with what there is; unreadable ones with how to write it."""
    committed(lake, 1, 2)

    with pytest.raises(error, match=words):
        lake.resolve(text)


def test_everything_unknown_in_an_empty_lake_is_not_found(lake: Lake) -> None:
    """newest, history, read and resolve say that the lake is empty; find and since have nothing."""
    for call in (lake.newest, lake.history, lambda name: lake.read(name.at(1)), lambda name: lake.resolve(str(name))):
        with pytest.raises(NotFound, match="is empty"):
            call(NAME)
    assert lake.find(NAME, "0" * 32) is None
    assert lake.since({}) == []
    assert lake.names() == []


# commits


def test_commit_record_reads_back_whole(lake: Lake) -> None:
    """Recipe, parameters, inputs of both kinds, facts, code, who, when and rows come back as they went in."""
    [source] = committed(lake, 1)
    reads = FileInput("ä b.fq", "/x/ä b.fq", 3, "ab" * 16, "s")
    params = {"k": 4, "scale": "self", "deep": {"list": [1, 2.5, None, True, "é"]}}
    plan = Plan("simulate", 3, Name("gut", "clusters"), (source, reads), params)
    facts = {"nested": {"rows": [1, 2]}, "text": "a\nb\"c'"}
    before = datetime.now(UTC) - timedelta(seconds=1)

    ref = lake.commit(Change(plan.target, "replace", plan, CLUSTERS, [], None, facts))

    commit = lake.read(ref).commit
    assert (commit.ref, commit.verb, commit.plan, commit.recipe) == (ref, "replace", plan.id, "simulate/3")
    assert commit.inputs == (source, reads)
    assert commit.params == params
    assert commit.facts == facts
    assert commit.rows == 0
    assert commit.who.count("@") == 1
    assert before < datetime.fromisoformat(commit.when) < datetime.now(UTC) + timedelta(seconds=1)
    assert lake.table(ref).num_rows == 0
    assert lake.table(ref).schema.names == CLUSTERS.names


def test_every_old_version_reads_after_many_commits(lake: Lake) -> None:
    """After 230 commits, two of the engine's checkpoints among them, each version, its record and rows still read."""
    n = 230
    for seed in range(1, n + 1):
        committed(lake, seed, verb="replace" if seed % 50 == 0 else "append", rows=2)

    history = lake.history(NAME)
    checkpoints = list((lake.root / "gut/reads/_delta_log").glob("*.checkpoint.parquet"))
    assert len(checkpoints) >= 2
    assert [commit.ref.version for commit in history] == list(range(n, 0, -1))
    assert [commit.params["seed"] for commit in history] == list(range(n, 0, -1))
    for version in (1, 49, 50, 99, 100, 101, 149, 199, 200, 201, 230):
        seeds = range(version // 50 * 50 or 1, version + 1)
        records = [seed * 1000 + row for seed in seeds for row in range(2)]
        assert lake.table(NAME.at(version), ["record"])["record"].to_pylist() == records
        assert lake.array(NAME.at(version))[:, 1].tolist() == [float(r // 1000) for r in records]
    assert lake.find(NAME, small_plan(NAME, 3).id) == NAME.at(3)


def test_commit_of_a_known_plan_writes_nothing_and_reads_no_rows(lake: Lake) -> None:
    """The second commit of a plan returns the first Ref, also after others; its batches are not touched."""
    first, *_ = committed(lake, 1, 2)
    before = sorted((path, path.stat().st_size) for path in lake.root.rglob("*"))

    def never():
        raise AssertionError
        yield

    again = lake.commit(Change(NAME, "append", small_plan(NAME, 1), READS, never()))

    assert again == first == NAME.at(1)
    assert sorted((path, path.stat().st_size) for path in lake.root.rglob("*")) == before


def test_since_gives_each_commit_once_in_order(lake: Lake) -> None:
    """since(cursor) lists what is newer, over all products, oldest first; a full cursor gives nothing."""
    committed(lake, 1)
    lake.commit(small_change(lake, Name("gut", "other"), 5))
    committed(lake, 2)

    assert [str(commit.ref) for commit in lake.since({})] == ["gut.reads@1", "gut.other@1", "gut.reads@2"]
    assert [str(commit.ref) for commit in lake.since({"gut.reads": 1})] == ["gut.other@1", "gut.reads@2"]
    assert lake.since({"gut.reads": 2, "gut.other": 1}) == []


def test_batches_stream_in_order_over_row_groups(lake: Lake) -> None:
    """Rows beyond one row group come back in order, in bounded batches, by column."""
    rows = GROUP_ROWS * 2 + 17
    [ref] = committed(lake, 1, rows=rows)

    batches = list(lake.read(ref).batches(["record", "shard"]))

    assert max(len(batch) for batch in batches) <= 65_536
    assert np.concatenate([batch["record"].to_numpy() for batch in batches]).tolist() == list(range(1000, 1000 + rows))
    assert batches[0].schema.names == ["record", "shard"]
    with pytest.raises(InvalidInput, match="no column 'sahrd'"):
        lake.read(ref).batches(["sahrd"])


def test_many_small_batches_make_few_row_groups(lake: Lake) -> None:
    """A thousand batches of three rows become one row group, and rows are not lost at borders."""
    change = small_change(lake, NAME, 1, rows=3000)
    [whole] = list(change.batches)
    pieces = [whole.slice(at, 3) for at in range(0, 3000, 3)]

    ref = lake.commit(dataclasses.replace(change, batches=pieces))

    [path] = (lake.root / "gut/reads/data").iterdir()
    assert pa.parquet.read_metadata(path).num_row_groups == 1
    assert lake.table(ref).equals(pa.Table.from_batches([whole]))


def test_lake_may_be_moved(lake: Lake, tmp_path: Path) -> None:
    """After renaming its folder every version reads and verifies, and commits go on."""
    committed(lake, 1, 2)
    moved = shutil.move(lake.root, tmp_path / "elsewhere")

    new = Lake.open(moved, create=False)

    assert new.array(NAME.at(2))[:, 1].tolist() == [1, 1, 1, 2, 2, 2]
    assert new.verify(NAME.at(2)) > 0
    assert committed(new, 3) == [NAME.at(3)]
    assert new.table(NAME.at(3), ["record"])["record"].to_pylist()[-1] == 3002


def test_other_readers_read_the_table_as_it_is(lake: Lake) -> None:
    """Polars, DuckDB, pyarrow and deltalake see the same rows of newest and old versions, with no network."""
    committed(lake, 1, 2)
    committed(lake, 3, verb="replace")
    folder = str(lake.root / "gut" / "reads")
    expected = {1: [1000, 1001, 1002], 2: [1000, 1001, 1002, 2000, 2001, 2002], 3: [3000, 3001, 3002]}

    for version, records in expected.items():
        table = DeltaTable(folder, version=version)
        dataset = table.to_pyarrow_dataset()  # noqa: F841 - DuckDB finds it by name
        files = table.file_uris()
        by_arrow = duckdb.sql("select record from dataset order by record").fetchall()
        by_files = duckdb.read_parquet(files).order("record").fetchall()
        assert pl.read_delta(folder, version=version)["record"].sort().to_list() == records
        assert sorted(table.to_pyarrow_table()["record"].to_pylist()) == records
        assert sorted(pa.dataset.dataset(files).to_table()["record"].to_pylist()) == records
        assert [row[0] for row in by_arrow] == records
        assert [row[3] for row in by_files] == records
    assert pl.scan_delta(folder).filter(pl.col("record") > 3000).collect().height == 2


def test_numpy_reads_the_shards_alone(lake: Lake) -> None:
    """A program with numpy and the manifest only gets the array: np.load of each shard, one under the other."""
    committed(lake, 1, 2)
    snapshot = lake.read(NAME.at(2))

    shards = [np.load(snapshot.array_folder / shard.path) for shard in snapshot.manifest.shards]
    halves = [np.load(snapshot.array_folder / shard.path) for shard in snapshot.manifest.halves]

    assert np.array_equal(np.concatenate(shards), rows_of(np.array([1000, 1001, 1002, 2000, 2001, 2002])))
    assert np.array_equal(np.concatenate(halves, axis=1)[0], np.concatenate(shards))


# refusing


def broken(change: Change, **changes: object) -> Change:
    return dataclasses.replace(change, **changes)


def test_changes_that_do_not_hold_together_are_refused(lake: Lake) -> None:
    """Rows that differ from the array's, wrong columns, nulls, missing shards: an error, and the lake as before."""
    committed(lake, 1)
    batch = next(iter(small_change(lake, NAME, 2).batches))
    nulls = batch.set_column(0, READS.field(0), pa.array([None, "a", "b"]))

    def manifest(change: Change, **changes: object) -> Manifest:
        return dataclasses.replace(change.manifest, **changes)

    cases = [
        (Bug, "table has 2 rows, its array 3", lambda c: broken(c, batches=[batch.slice(0, 2)])),
        (Bug, "of other names or types", lambda c: broken(c, batches=[batch.select(["id"])])),
        (Bug, "'id' has 1 nulls", lambda c: broken(c, batches=[nulls])),
        (Bug, "neither 'replace' nor 'append'", lambda c: broken(c, verb="upsert")),
        (Bug, "its plan is for gut.x", lambda c: broken(c, plan=small_plan(Name("gut", "x"), 1))),
        (Bug, "facts that JSON cannot hold", lambda c: broken(c, facts={"x": float("nan")})),
        (Bug, "facts that JSON cannot hold", lambda c: broken(c, facts={"x": np.float32(1)})),
        (Corrupt, "found no file", lambda c: broken(c, manifest=Manifest("<f4", 3, 3, (Shard("9.npy", 3, ""),)))),
        (Corrupt, "3 columns of <f4; expected 7", lambda c: broken(c, manifest=manifest(c, dim=7))),
        (InvalidInput, "found columns? |holds columns", lambda c: broken(c, schema=CLUSTERS, batches=[])),
        (InvalidInput, "found embedder", lambda c: broken(c, manifest=manifest(c, embedder={"name": "else"}))),
        (InvalidInput, "has halves", lambda c: broken(c, manifest=manifest(c, halves=()))),
        (InvalidInput, "has an array", lambda c: broken(c, manifest=None)),
    ]
    for i, (error, words, change) in enumerate(cases):
        with pytest.raises(error, match=words):
            lake.commit(change(small_change(lake, NAME, 10 + i)))
        assert lake.newest(NAME) == NAME.at(1)
        assert len(list((lake.root / "gut/reads/data").iterdir())) == 1, words


def test_error_in_the_middle_of_the_batches_leaves_no_file(lake: Lake) -> None:
    """Where the caller's generator fails after a row group, no Parquet file and no version remain."""
    change = small_change(lake, NAME, 1, rows=GROUP_ROWS + 10)

    def failing():
        yield from change.batches
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lake.commit(broken(change, batches=failing()))

    assert list((lake.root / "gut/reads/data").iterdir()) == []
    assert lake.names() == []
    assert lake.commit(small_change(lake, NAME, 1, rows=GROUP_ROWS + 10)) == NAME.at(1)


def test_writer_that_always_loses_gives_up_with_conflict(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another writer wins every time, Conflict says so, and its files are gone."""
    committed(lake, 1)
    monkeypatch.setattr(committing, "TRIES", 3)
    write, seeds = committing.ProductTable.write, iter(range(100, 200))

    def beaten(table, base, record):
        if record.commit.plan == small_plan(NAME, 2).id:
            lake.commit(small_change(lake, NAME, next(seeds)))
        return write(table, base, record)

    monkeypatch.setattr(committing.ProductTable, "write", beaten)
    with pytest.raises(Conflict, match="other writers won 3 times in a row"):
        committed(lake, 2)

    assert lake.newest(NAME) == NAME.at(4)
    assert len(list((lake.root / "gut/reads/data").iterdir())) == 4
    assert lake.table(NAME.at(4), ["record"])["record"].to_pylist()[-1] == 102_002


def test_error_after_the_commit_is_no_error(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the engine reports failure though the commit is there, the Ref is returned and its files stay."""
    write = committing.ProductTable.write

    def late(table, base, record):
        write(table, base, record)
        raise OSError("the connection broke after the commit")

    monkeypatch.setattr(committing.ProductTable, "write", late)
    monkeypatch.setattr(committing, "TRIES", 1)
    [ref] = committed(lake, 1)

    assert ref == NAME.at(1)
    assert lake.verify(ref) > 0
    assert lake.table(ref)["record"].to_pylist() == [1000, 1001, 1002]


def test_interrupt_after_the_commit_goes_on_and_the_commit_stays(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the moment of the commit still ends the program; the version that it made is whole."""
    write = committing.ProductTable.write

    def interrupted(table, base, record):
        write(table, base, record)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(committing.ProductTable, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            committed(lake, 1)

    assert lake.verify(NAME.at(1)) > 0
    assert committed(lake, 1) == [NAME.at(1)]


def test_product_made_meanwhile_keeps_its_columns(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer with other columns that did not see the product being made is refused, and changes nothing."""
    committed(lake, 1)
    newest, answers = ProductTable.newest, iter([-1, -1, -1])

    with monkeypatch.context() as patch:
        patch.setattr(ProductTable, "newest", lambda table: next(answers, None) or newest(table))
        with pytest.raises(InvalidInput, match=r"gut.reads holds columns id, shard.*another name with --into"):
            lake.commit(Change(NAME, "replace", small_plan(NAME, 2), CLUSTERS, []))

    assert lake.read(NAME.at(1)).schema().names == READS.names
    assert len(lake.table(NAME.at(1))) == 3


def test_lake_of_another_version_made_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A marker that appears while ours is being made is never overwritten."""
    write, marker = place.write_then_rename, tmp_path / "lake" / "isthmus-lake.json"

    def beaten(path: Path, data: str) -> None:
        write(path, data)
        marker.write_text('{"format": "isthmus-lake/2"}')

    monkeypatch.setattr(place, "write_then_rename", beaten)
    with pytest.raises(InvalidInput, match="'isthmus-lake/2'"):
        Lake.open(tmp_path / "lake")

    assert [path.name for path in marker.parent.iterdir()] == [marker.name]


def test_version_of_another_program_is_named(lake: Lake) -> None:
    """A Delta commit that isthmus did not make is Corrupt when read, and says so."""
    committed(lake, 1)
    pl.DataFrame(lake.table(NAME.at(1))).write_delta(str(lake.root / "gut" / "reads"), mode="append")

    with pytest.raises(Corrupt, match="another program wrote to this table"):
        lake.read(NAME.at(2))
    assert len(lake.table(NAME.at(1))) == 3


# damage


@pytest.mark.parametrize("kind", ["shard", "halves", "parquet", "manifest"])
@pytest.mark.parametrize("damage", ["missing", "cut", "bit"])
def test_verify_finds_any_damage(lake: Lake, kind: str, damage: str) -> None:
    """A missing, cut or flipped shard, half, Parquet file or manifest raises Corrupt that names the file."""
    [ref] = committed(lake, 1)
    found = {"shard": "0001.npy", "halves": "0001.halves.npy", "parquet": "*.parquet", "manifest": "manifest-*.json"}
    [path] = (lake.root / "gut" / "reads").glob(f"[ad]*/**/{found[kind]}")
    size = path.stat().st_size
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        os.truncate(path, size - 2)
    elif kind == "manifest":
        path.write_text(path.read_text().replace('"rows": 3', '"rows": 4', 1))
    else:
        data = bytearray(path.read_bytes())
        data[size - 1 if kind != "parquet" else 10] ^= 1
        path.write_bytes(data)

    with pytest.raises(Corrupt, match=path.name):
        lake.verify(ref)


def test_verify_covers_rows_appended_to(lake: Lake) -> None:
    """Damage to a file of an earlier commit is found in the versions that still hold it, and only there."""
    committed(lake, 1, 2)
    committed(lake, 3, verb="replace")
    [old] = lake.root.glob("gut/reads/data/000000000000-*.parquet")
    old.write_bytes(old.read_bytes()[::-1])

    with pytest.raises(Corrupt, match="found checksum"):
        lake.verify(NAME.at(2))
    assert lake.verify(NAME.at(3)) > 0
    with pytest.raises(Corrupt, match="unreadable Parquet"):
        lake.table(NAME.at(2))
