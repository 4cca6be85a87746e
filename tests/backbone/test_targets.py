"""Results never replace raw data, a lake, a device, or a file of another kind."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from isthmus.backbone.targets import check_target
from isthmus.core.errors import InvalidInput
from isthmus.core.files import write_then_rename
from isthmus.core.plan import FileInput


def test_raw_files_and_files_of_another_kind_are_kept(tmp_path: Path) -> None:
    """Reads stay reads, under their own name or through a link; notes stay notes."""
    reads, notes, link = tmp_path / "in.html", tmp_path / "notes.txt", tmp_path / "link.html"
    reads.write_text("<!doctype html>")
    notes.write_text("dear diary")
    link.symlink_to(reads)
    raw = FileInput(source="in.html", path=str(reads), size=3, xxh3_128="", sample="")

    for path in (reads, link):
        with pytest.raises(InvalidInput, match="raw files"):
            check_target(path, "html", [raw])
    for kind in ("html", "csv", "parquet", "npy"):
        with pytest.raises(InvalidInput, match=f"no {kind} file"):
            check_target(notes, kind)


def test_an_older_result_and_a_new_path_are_fine(tmp_path: Path) -> None:
    """The same command twice replaces its own page; folders are made."""
    (tmp_path / "page.html").write_text("<!doctype html><title>old</title>")
    (tmp_path / "empty.csv").write_text("")

    check_target(tmp_path / "page.html", "html")
    check_target(tmp_path / "empty.csv", "csv")
    check_target(tmp_path / "new" / "deep" / "x.csv", "csv")


def test_a_lake_a_folder_and_an_unwritable_place_are_refused(tmp_path: Path) -> None:
    """Said before any work is done."""
    (tmp_path / "lake" / "default").mkdir(parents=True)
    (tmp_path / "lake" / "isthmus-lake.json").write_text("{}")

    with pytest.raises(InvalidInput, match="inside a lake"):
        check_target(tmp_path / "lake" / "default" / "x.csv", "csv")
    with pytest.raises(InvalidInput, match="is a folder"):
        check_target(tmp_path, "csv")
    with pytest.raises(InvalidInput, match="cannot be written"):
        check_target(Path("/proc/x/y.html"), "html")


def test_pipes_are_written_into_and_links_are_followed(tmp_path: Path) -> None:
    """A named pipe stays a pipe and its reader gets all; a link stays a link and its target changes."""
    pipe, link, target = tmp_path / "pipe", tmp_path / "link", tmp_path / "target"
    os.mkfifo(pipe)
    target.write_text("old")
    link.symlink_to(target)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()

    check_target(pipe, "csv")
    write_then_rename(pipe, "through")
    reader.join(10)
    write_then_rename(link, "new")

    assert read == ["through"]
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert target.read_text() == "new"
