"""From words of a command to input files: globs, standard input, and clear words for what is no input."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path

import pytest

from isthmus.core.errors import InvalidInput, NotFound
from isthmus.core.plan import FileInput
from isthmus.prepare.sources import find_sources, sample_of


def find(folder: Path, *words: str) -> list[FileInput]:
    return find_sources(words, spool=folder / "spool", cache=folder / "cache")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("b.fastq", "a.fastq.gz", "c.fna"):
        (tmp_path / name).write_text(f"content of {name}")
    return tmp_path


def test_globs_are_sorted_and_words_keep_their_order(folder: Path) -> None:
    """Each word in its place; what a glob matches in order of name."""
    found = find(folder, "c.fna", "*.fastq*")

    assert [one.source for one in found] == ["c.fna", "a.fastq.gz", "b.fastq"]
    assert [one.sample for one in found] == ["c", "a", "b"]
    assert found[0].size == len("content of c.fna")
    assert Path(found[0].path).is_absolute()


def test_hundreds_of_files(folder: Path) -> None:
    """One glob may stand for very many files."""
    for i in range(300):
        (folder / f"many_{i:03d}.fq").write_text(str(i))

    assert len(find(folder, "many_*.fq")) == 300


@pytest.mark.parametrize(
    ("name", "sample"),
    [("x/S1.fastq.gz", "S1"), ("S1_R2.FQ", "S1_R2"), ("a.b.fna.bgz", "a.b"), (".gz", ".gz"), ("reads", "reads")],
)
def test_sample_is_the_name_without_its_suffixes(name: str, sample: str) -> None:
    """Folder and the suffixes of format and compression go; the rest stays."""
    assert sample_of(name) == sample


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        (["missing.fastq"], NotFound, "missing.fastq does not exist"),
        (["nothing*.fastq"], NotFound, "no file matches 'nothing\\*.fastq'"),
        (["."], InvalidInput, "is a folder"),
        (["empty.fastq"], InvalidInput, "empty file"),
        (["b.fastq", "./b.fastq"], InvalidInput, "same file as b.fastq"),
        (["b.fastq", "*.fastq"], InvalidInput, "same file as b.fastq"),
        (["link.fastq", "b.fastq"], InvalidInput, "same file as link.fastq"),
        ([], InvalidInput, "no input was named"),
    ],
)
def test_what_is_no_input_is_refused(folder: Path, words: list[str], kind: type[Exception], says: str) -> None:
    """Each has its own clear words."""
    (folder / "empty.fastq").touch()
    (folder / "link.fastq").symlink_to("b.fastq")

    with pytest.raises(kind, match=says):
        find(folder, *words)


def test_standard_input_is_spooled_under_its_checksum(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes again give the same file and the same plan."""
    found = []
    for _ in range(2):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"@a\nACGT\n+\nIIII\n")))
        found += find(folder, "-")

    assert found[0] == found[1]
    assert (found[0].source, found[0].sample, found[0].size) == ("-", "stdin", 15)
    assert [path.name for path in (folder / "spool").iterdir()] == [found[0].xxh3_128]


def test_empty_standard_input_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing arrives: say so, and leave nothing behind."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))

    with pytest.raises(InvalidInput, match="nothing on standard input"):
        find(folder, "-")

    assert not list((folder / "spool").iterdir())


def test_pipe_is_spooled_like_standard_input(folder: Path) -> None:
    """A named pipe, as a shell makes for <(zcat x), is read once and kept."""
    os.mkfifo(folder / "pipe.fastq")
    writer = threading.Thread(target=(folder / "pipe.fastq").write_bytes, args=(b"@a\nACGT\n+\nIIII\n",))
    writer.start()

    (found,) = find(folder, "pipe.fastq")
    writer.join()

    assert (found.source, found.sample, Path(found.path).read_bytes()) == ("pipe.fastq", "pipe", b"@a\nACGT\n+\nIIII\n")


@pytest.mark.parametrize(
    "name", [b"bad\xff.fq", b"two\nlines.fq", b"tab\t.fq", b"esc\x1b[31m.fq", "line\u2028.fq".encode()]
)
def test_names_that_tables_and_logs_cannot_hold_are_refused(folder: Path, name: bytes) -> None:
    """Not UTF-8, or with a control character: refused by name and by glob, in words that can be printed on one line."""
    word = os.fsdecode(name)
    (folder / word).write_text("@a\nACGT\n+\nIIII\n")

    for words in ([word], ["*.fq"]):
        with pytest.raises(InvalidInput, match="rename") as caught:
            find(folder, *words)
        str(caught.value).encode()
        assert str(caught.value).isprintable()
    if name == b"bad\xff.fq":
        assert "bad\\xff.fq" in str(caught.value)


def test_folder_with_a_bad_name_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder where the command runs is part of a file's path, which the lake keeps."""
    bad = folder / os.fsdecode(b"runs\xff")
    bad.mkdir()
    (bad / "a.fq").write_text("@a\nACGT\n+\nIIII\n")
    monkeypatch.chdir(bad)

    with pytest.raises(InvalidInput, match=r"runs\\xff"):
        find(folder, "a.fq")


def test_other_scripts_and_blanks_are_names_too(folder: Path) -> None:
    """UTF-8 is enough: letters of any script, blanks and quotes are read."""
    (folder / "mañana 2 'ß' 試料.fq").write_text("@a\nACGT\n+\nIIII\n")

    (found,) = find(folder, "ma*.fq")

    assert found.sample == "mañana 2 'ß' 試料"


def test_standard_input_twice_is_refused(folder: Path) -> None:
    """It can be read once only; nothing is read of it, and the words say what to do."""
    with pytest.raises(InvalidInput, match=r"standard input.*once"):
        find(folder, "-", "b.fastq", "-")
