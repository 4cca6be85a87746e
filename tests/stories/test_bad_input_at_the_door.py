"""Bad input at the command line: one clear error, the right exit code, the lake as before."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GOOD = b"".join(b"@r%d\n%s\n+\n%s\n" % (i, b"ACGTTGCAAGCT" * 200, b"I" * 2400) for i in range(5))

BAD = [
    ("missing.fastq", None, 3, "does not exist"),
    ("empty.fastq", b"", 2, "empty"),
    ("words.fastq", b"dear all,\nthis is a letter\n", 2, "FASTQ"),
    ("cut.fastq", GOOD[:-1500], 2, "record 5"),
    ("lengths.fastq", GOOD + b"@x\nACGT\n+\nIII\n", 2, "record 6, line 24"),
    ("cut.fastq.gz", gzip.compress(GOOD)[:-20], 2, "cut.fastq.gz"),
    ("rotten.fastq.gz", gzip.compress(GOOD)[:-8] + b"\0" * 8, 2, "rotten.fastq.gz"),
    ("colours.csfastq", b"@a\nT0123012301\n+\n!IIIIIIIIII\n", 2, "colour"),
    ("accent.fastq", "@a\nACGÉT\n+\nIIIIII\n".encode(), 2, "line 2"),
]


@pytest.mark.parametrize(("name", "content", "code", "words"), BAD, ids=[one[0] for one in BAD])
def test_one_error_and_the_lake_as_before(
    tmp_path: Path, typed: Callable[..., Any], name: str, content: bytes | None, code: int, words: str
) -> None:
    """What was committed before stays; nothing half-made appears; the error names file and fault."""
    (tmp_path / "good.fastq").write_bytes(GOOD)
    assert typed("embed", "good.fastq", "-q").code == 0
    before = typed("ls", "--json").json
    if content is not None:
        (tmp_path / name).write_bytes(content)

    said = typed("run", name, "-q")

    assert said.code == code, said.err
    assert name in said.err
    assert words in said.err
    assert "Traceback" not in said.err
    assert typed("ls", "--json").json == before


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["run", "."], 2, "folder"),
        (["run", "*.nothing"], 3, "nothing"),
        (["run", "good.fastq", "--clusters", "6"], 2, "6"),
        (["run", "good.fastq", "--clusters", "0"], 2, "0"),
        (["run", "good.fastq", "--with", "kmer:9"], 2, "kmer:9"),
        (["run", "good.fastq", "--min-length", "9999"], 2, "too_short"),
        (["run", "good.fastq", "--domain", "../x"], 2, "is not a name"),
        (["run", "good.fastq", "--memory", "lots"], 2, "lots"),
        (["run", "good.fastq", "--truth", "absent.tsv"], 3, "absent.tsv"),
        (["show", "default.raeds"], 3, "default.reads"),
        (["show", "default.reads@9"], 3, "default.reads@9"),
        (["simulate", "kmean"], 2, "kmeans"),
        (["simulate", "kmeans", "--set", "kk=3"], 2, "'k'"),
        (["export", "default.reads", "--bins", "--to", "b"], 2, "default.reads"),
        (["ls", "--lake", "nowhere"], 3, "nowhere"),
    ],
)
def test_each_mistake_has_its_exit_code_and_names_itself(
    tmp_path: Path, typed: Callable[..., Any], words: list[str], code: int, message: str
) -> None:
    """The message holds what was wrong, never a traceback."""
    (tmp_path / "good.fastq").write_bytes(GOOD)
    typed("embed", "good.fastq", "-q")

    said = typed(*words)

    assert said.code == code, said.err
    assert message in said.err
    assert "Traceback" not in said.err


def test_more_clusters_than_reads_leaves_the_lake_as_before(tmp_path: Path, typed: Callable[..., Any]) -> None:
    """Said before the reads are committed, reads that cleaning drops not counted."""
    (tmp_path / "good.fastq").write_bytes(GOOD)

    said = typed("run", "good.fastq", "--clusters", "6", "--json")

    assert said.code == 2
    assert said.json["error"]["exit_code"] == 2
    assert "at most 5" in said.json["error"]["message"]
    assert typed("ls", "--json").json == {"products": []}


@pytest.mark.parametrize(
    "words",
    [
        ["run", "good.fastq", "--report", "good.fastq"],
        ["run", "good.fastq", "--report", "."],
        ["run", "good.fastq", "--report", "/proc/nothing/r.html"],
        ["run", "good.fastq", "--ranks", "0"],
        ["run", "-good.fastq"],
        ["export", "default.reads", "--to", "good.fastq", "--format", "csv"],
        ["export", "default.reads", "--to", "x.xyz"],
        ["export", "default.reads", "--to", "isthmus-lake/default/x.csv"],
    ],
)
def test_targets_that_would_destroy_something_are_refused_before_any_work(
    tmp_path: Path, typed: Callable[..., Any], words: list[str]
) -> None:
    """Exit 2, the reads as they were, no product made by it."""
    (tmp_path / "good.fastq").write_bytes(GOOD)
    if words[0] == "export":
        typed("embed", "good.fastq", "-q")

    said = typed(*words)

    assert said.code == 2, said.err
    assert "Traceback" not in said.err
    assert (tmp_path / "good.fastq").read_bytes() == GOOD
    if words[0] == "run":
        assert not (tmp_path / "isthmus-lake/default").exists()


def test_more_ranks_than_rows_is_no_error(tmp_path: Path, typed: Callable[..., Any]) -> None:
    """Five reads on eight ranks give the labels that one rank gives."""
    (tmp_path / "good.fastq").write_bytes(GOOD)

    said = typed("run", "good.fastq", "--clusters", "1", "--ranks", "8", "--json")

    assert said.code == 0, said.err
    assert said.json["rows"] == 5


def test_a_lake_of_another_version_is_refused_and_left_alone(tmp_path: Path, typed: Callable[..., Any]) -> None:
    """The error names what was found and what was expected."""
    (tmp_path / "good.fastq").write_bytes(GOOD)
    (tmp_path / "old").mkdir()
    (tmp_path / "old/isthmus-lake.json").write_text('{"format": "isthmus-lake/9"}\n')

    said = typed("run", "good.fastq", "--lake", "old")

    assert said.code == 2
    assert "isthmus-lake/9" in said.err
    assert "isthmus-lake/1" in said.err
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["isthmus-lake.json"]
