"""Damage and closed doors are told as such: Corrupt with the file, InvalidInput with the way out; never a traceback."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from isthmus.backbone import place
from isthmus.backbone.export import export
from isthmus.backbone.lake import Lake
from isthmus.core.errors import Corrupt, InvalidInput
from isthmus.core.ref import Name
from isthmus.testing.changes import small_change, small_plan

NAME = Name("gut", "reads")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake.open(tmp_path / "lake")
    made.commit(small_change(made, NAME, 1, rows=2000))
    return made


def spoil(path: Path, at: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[at : at + 40] = bytes(255 - one for one in raw[at : at + 40])
    path.write_bytes(raw)


@pytest.mark.parametrize("junk", [b"\xff\xfe junk \x00", b"{", b"17\n", b'"text"\n', b""])
@pytest.mark.parametrize("version", [0, 1])
def test_junk_in_the_log_is_corrupt_for_every_caller(lake: Lake, version: int, junk: bytes) -> None:
    """Committing and reading each say Corrupt and name the log, whichever version is junk."""
    log = lake.root / "gut" / "reads" / "_delta_log" / f"{version:020d}.json"
    change = small_change(lake, NAME, 2)
    log.write_bytes(junk)

    with pytest.raises(Corrupt, match="_delta_log"):
        lake.commit(change)
    with pytest.raises(Corrupt, match=r"_delta_log|without isthmus' own record"):
        lake.table(NAME.at(1))


@pytest.mark.parametrize("junk", [b"\xff\xfe junk \x00", b"{", b"17\n"])
def test_junk_in_the_log_is_found_before_any_work(lake: Lake, junk: bytes) -> None:
    """Whoever asks whether a plan is done already learns of the damage, before it spends hours."""
    log = lake.root / "gut" / "reads" / "_delta_log" / f"{1:020d}.json"
    log.write_bytes(junk)

    with pytest.raises(Corrupt, match=log.name):
        lake.find(NAME, small_plan(NAME, 2).id)


@pytest.mark.parametrize("at", [200, 2000, -400, -20])
def test_a_damaged_table_names_its_file(lake: Lake, at: int) -> None:
    """Bytes changed anywhere in a Parquet file: an export refuses it, and reading all of it names the file or works."""
    [path] = lake.root.glob("gut/reads/data/*.parquet")
    spoil(path, at % path.stat().st_size)

    with pytest.raises(Corrupt, match=path.name):
        export(lake, NAME.at(1), form="csv", to=lake.root.parent / "out.csv")
    assert not (lake.root.parent / "out.csv").exists()


def test_a_damaged_column_is_corrupt_when_read(lake: Lake) -> None:
    """A block that cannot be decompressed is Corrupt with the file's name, not an error of the disk."""
    [path] = lake.root.glob("gut/reads/data/*.parquet")
    spoil(path, 60)

    with pytest.raises(Corrupt, match=rf"{path}: found unreadable Parquet .*; restore it"):
        lake.table(NAME.at(1))


def test_a_damaged_shard_is_not_exported(lake: Lake) -> None:
    """`npy` compares checksums of the shards first; what was at the target stays."""
    [path] = lake.root.glob("gut/reads/arrays/*/0001.npy")
    target = lake.root.parent / "out.npy"
    export(lake, NAME.at(1), form="npy", to=target)
    before = target.read_bytes()
    spoil(path, 5000)

    with pytest.raises(Corrupt, match=rf"{path.name}: found checksum \w+; expected \w+; restore it from a copy"):
        export(lake, NAME.at(1), form="npy", to=target)

    assert target.read_bytes() == before


def test_verify_reads_the_parts_that_were_asked_for(lake: Lake) -> None:
    """A damaged half is no matter of the table or the shards."""
    [path] = lake.root.glob("gut/reads/arrays/*/0001.halves.npy")
    spoil(path, 5000)

    assert lake.verify(NAME.at(1), ["table"]) + lake.verify(NAME.at(1), ["shards"]) > 0
    for parts in (["halves"], ["shards", "halves"]):
        with pytest.raises(Corrupt, match=path.name):
            lake.verify(NAME.at(1), parts)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_a_folder_that_may_not_be_made_says_what_to_choose(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """No rights, or a disk that is read-only: InvalidInput naming the folder, --lake and --scratch."""

    def refuse(self: Path, *args: object, **kwargs: object) -> None:
        raise OSError(number, "no", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)

    with pytest.raises(
        InvalidInput, match=r"gut/soil/arrays/x: cannot be made, since .*lake/gut .*--lake or.*--scratch"
    ):
        lake.array_folder(Name("gut", "soil"), "x")
    with pytest.raises(InvalidInput, match="--scratch"):
        place.make_folder(lake.scratch / "jobs" / "1", new=True)


def test_a_lost_log_is_not_an_empty_product(lake: Lake) -> None:
    """With version 0 of the log gone, a read says what is missing."""
    (lake.root / "gut" / "reads" / "_delta_log" / f"{0:020d}.json").unlink()

    with pytest.raises(Corrupt, match=f"{0:020d}.json"):
        lake.table(NAME.at(1))
    shutil.rmtree(lake.root / "gut")
