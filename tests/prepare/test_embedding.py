"""Phase 1 from files to a committed product: the same bytes whatever the workers, parts, compression and restarts."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isthmus.backbone.lake import Lake
from isthmus.core.errors import BadRecord, Conflict, InvalidInput, NotFound, WontFit
from isthmus.core.flags import ReadFlag
from isthmus.core.progress import Silent
from isthmus.core.ref import Name, Ref
from isthmus.kernels.batch import FASTA
from isthmus.kernels.scan import Scanner
from isthmus.prepare import embedding, sources
from isthmus.prepare.cleaning import Cleaning

VOLATILE = {"seconds", "cpu_seconds", "workers", "parts"}


@pytest.fixture
def no_small_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worker processes even for the small files of tests."""
    monkeypatch.setattr(embedding, "SMALL_BYTES", 0)


def content(lake: Lake, ref: Ref) -> tuple[Any, ...]:
    """All that a version holds, but for what depends on time and workers."""
    snapshot = lake.read(ref)
    assert snapshot.manifest is not None
    shards = [(one.path, one.rows, one.xxh3_128) for one in snapshot.manifest.shards + snapshot.manifest.halves]
    facts = {key: value for key, value in snapshot.commit.facts.items() if key not in VOLATILE}
    return lake.table(ref).to_pylist(), shards, json.dumps(facts, sort_keys=True)


def rows_of(lake: Lake, ref: Ref) -> tuple[Any, ...]:
    """The same, without what depends on the size of parts."""
    columns = ["id", "record", "source", "length", "gc", "mean_quality", "n_ambiguous", "flags"]
    return lake.table(ref, columns).to_pylist(), np.asarray(lake.array(ref)).tobytes(), lake.halves(ref)[:, :].tobytes()


FORMS = ["fastq", "wrapped", "fasta", "crlf"]


def text_of(form: str, texts: Any, reads: Any) -> bytes:
    if form == "fasta":
        return texts.fasta(reads)
    text = texts.fastq(reads, width=60 if form == "wrapped" else None)
    return text.replace(b"\n", b"\r\n") if form == "crlf" else text


@pytest.mark.usefixtures("no_small_inputs")
@pytest.mark.parametrize("form", FORMS)
def test_same_bytes_whatever_the_workers(form: str, tmp_path: Path, texts: Any, embed: Any, lake: Lake) -> None:
    """Table, shards and facts are the same from 1, 2 and 3 processes, on plain and gzip files together."""
    reads = texts.reads(300, 400, seed=11)
    (tmp_path / "a.fastq").write_bytes(text_of(form, texts, reads))
    (tmp_path / "b.fastq.gz").write_bytes(gzip.compress(text_of(form, texts, reads[:90])))
    files = (tmp_path / "a.fastq", tmp_path / "b.fastq.gz")

    refs = [embed(*files, into=f"gut.w{n}", workers=n, part_bytes=20_011) for n in (1, 2, 3)]

    first, *others = [content(lake, ref) for ref in refs]
    assert len(first[1]) > 12
    assert all(other == first for other in others)
    assert [row["id"] for row in first[0]] == [name.split()[0] for name, _, _ in reads + reads[:90]]
    assert [row["record"] for row in first[0]] == [*range(300), *range(90)]


@pytest.mark.usefixtures("no_small_inputs")
@pytest.mark.parametrize("part_bytes", [37, 1000, 4099, 1 << 20])
def test_part_size_changes_no_row(part_bytes: int, tmp_path: Path, texts: Any, embed: Any, lake: Lake) -> None:
    """Reads longer than a part, and parts in which no record begins, give the rows that one part gives."""
    path = tmp_path / "a.fastq"
    path.write_bytes(texts.fastq(texts.reads(40, 200, seed=part_bytes), width=70))

    whole = embed(path, into="gut.whole", part_bytes=1 << 30)
    cut = embed(path, into="gut.cut", part_bytes=part_bytes, workers=2)

    assert rows_of(lake, cut) == rows_of(lake, whole)


@pytest.mark.usefixtures("no_small_inputs")
def test_quality_lines_that_look_like_records(tmp_path: Path, texts: Any, embed: Any, lake: Lake) -> None:
    """A wrapped quality that reads like a whole record misleads the search for a border, and not the result."""
    decoy = "@decoy\nACGT\n+\nIIII\n"  # lies within the quality of each record
    quality = "I" * 20 + "\n" + decoy
    letters = len(quality.replace("\n", ""))
    sequence = "ACGTACGTAC" * 2 + "\n" + "G" * (letters - 20)
    path = tmp_path / "a.fastq"
    path.write_text("".join(f"@r{i}\n{sequence}\n+\n{quality}" for i in range(200)))

    ref = embed(path, workers=2, part_bytes=257)

    assert lake.table(ref, ["id"]).column("id").to_pylist() == [f"r{i}" for i in range(200)]
    assert rows_of(lake, ref) == rows_of(lake, embed(path, into="gut.whole", part_bytes=1 << 30))


@pytest.mark.parametrize("members", [1, 7])
def test_gzip_gives_what_plain_gives(members: int, tmp_path: Path, texts: Any, embed: Any, lake: Lake) -> None:
    """One or many members, cut anywhere: the rows of the plain file."""
    text = texts.fastq(texts.reads(100, 300, seed=2))
    step = len(text) // members + 1
    (tmp_path / "a.fastq").write_bytes(text)
    (tmp_path / "z").mkdir()
    packed = b"".join(gzip.compress(text[i : i + step]) for i in range(0, len(text), step))
    (tmp_path / "z" / "a.fastq").write_bytes(packed)  # told by its content, not by its name

    plain = embed(tmp_path / "a.fastq", into="gut.plain", part_bytes=10_000)
    zipped = embed(tmp_path / "z" / "a.fastq", into="gut.zipped", part_bytes=10_000)

    assert np.array_equal(np.asarray(lake.array(plain)), np.asarray(lake.array(zipped)))
    assert lake.read(zipped).commit.facts["files"][0]["text_bytes"] == len(text)


def test_same_plan_gives_the_same_ref(tmp_path: Path, texts: Any, embed: Any) -> None:
    """A second call with the same files and parameters computes and commits nothing."""
    path = tmp_path / "a.fastq"
    path.write_bytes(texts.fastq(texts.reads(10, 100, seed=1)))

    assert embed(path) == embed(path)


def test_cleaning_counts_each_read_once(tmp_path: Path, embed: Any, lake: Lake) -> None:
    """Facts say what each filter took and what remains; lengths are of what remains."""
    path = tmp_path / "a.fastq"
    path.write_text(
        "@short\nAC\n+\nII\n@poor\nACGTACGT\n+\n++++++++\n@n\nNNNNNNNT\n+\nIIIIIIII\n"
        "@kept\nACGTACGT\n+\nIIIIIIII\n@kept2\nACGTACGTAC\n+\nIIIIIIIIII\n"
    )

    ref = embed(path, min_length=4, min_mean_quality=20, max_n_share=0.5)

    facts = lake.read(ref).commit.facts
    assert facts["dropped"] == {"too_short": 1, "low_quality": 1, "many_n": 1}
    assert (facts["records_in"], facts["records_out"], facts["bases_in"], facts["bases_out"]) == (5, 2, 36, 18)
    assert facts["length"] == {"min": 8, "median": 9.0, "mean": 9.0, "n50": 10, "max": 10}
    assert lake.table(ref, ["record"]).column("record").to_pylist() == [3, 4]


def test_median_quality_is_of_the_reads_that_are_kept(tmp_path: Path, embed: Any, lake: Lake) -> None:
    """To a hundredth, the mean of the two middle ones; null where no read has qualities."""
    path, plain = tmp_path / "a.fastq", tmp_path / "b.fasta"
    path.write_text("".join(f"@r{q}\nACGTAC\n+\n{chr(33 + q) * 6}\n" for q in (2, 10, 20, 31, 40)))
    plain.write_text(">a\nACGTACGT\n>empty\n")

    cut, whole = embed(path, into="gut.cut", min_mean_quality=5), embed(path, into="gut.whole")

    assert lake.read(cut).commit.facts["quality"] == {"median": 25.5}
    assert lake.read(whole).commit.facts["quality"] == {"median": 20.0}
    assert lake.read(embed(plain, into="gut.plain")).commit.facts["quality"] == {"median": None}


@pytest.mark.usefixtures("no_small_inputs")
@pytest.mark.parametrize("with_", ["kernel:4", "kmer:6"])
def test_reads_that_repeat_are_counted(with_: str, tmp_path: Path, texts: Any, embed: Any, lake: Lake) -> None:
    """Copies in any file and any part, from either strand; other reads, and reads without a k-mer, are none."""
    reads = texts.reads(200, 150, seed=3)
    many = [(name, seq, qual) for name, seq, qual in reads if len(seq) >= 30]
    other = [
        (f"c{i}", seq[::-1].translate(str.maketrans("ACGT", "TGCA")), qual) for i, (_, seq, qual) in enumerate(many)
    ]
    (tmp_path / "a.fastq").write_bytes(texts.fastq(many))
    (tmp_path / "b.fastq").write_bytes(
        texts.fastq([*many[:40], *other[:7], ("n1", "N" * 9, "I" * 9), ("n2", "N" * 9, "I" * 9)])
    )

    alone = embed(tmp_path / "a.fastq", into="gut.alone", with_=with_, part_bytes=5000)
    both = embed(tmp_path / "a.fastq", tmp_path / "b.fastq", into="gut.both", with_=with_, part_bytes=5000, workers=2)

    assert lake.read(alone).commit.facts["duplicate_reads"] == 0
    assert lake.read(both).commit.facts["duplicate_reads"] == 47
    assert not any("copies" in text for text in lake.read(both).commit.facts["warnings"])


def test_mostly_copies_is_warned_of(tmp_path: Path, texts: Any, embed: Any, lake: Lake) -> None:
    """A thousand times the same read looks like one organism: the facts say what it is."""
    ((_, seq, qual),) = texts.reads(1, 5000, seed=3)
    path = tmp_path / "a.fastq"
    path.write_bytes(texts.fastq([(f"r{i}", seq, qual) for i in range(1000)]))

    facts = lake.read(embed(path)).commit.facts

    assert facts["duplicate_reads"] == 999
    assert any("999 of 1,000 reads are copies" in text for text in facts["warnings"])


def test_cleaning_that_takes_all_is_refused(tmp_path: Path, embed: Any, lake: Lake) -> None:
    """Nothing is committed, and the error says which filter took the reads."""
    path = tmp_path / "a.fastq"
    path.write_text("@a\nACGT\n+\nIIII\n")

    with pytest.raises(InvalidInput, match=r"all of 1 reads \(too_short 1\)"):
        embed(path, min_length=5)

    assert lake.names() == []


def test_reads_without_kmers_are_kept_and_flagged(tmp_path: Path, embed: Any, lake: Lake) -> None:
    """Profiles of nothing are zeros, never NaN; FASTA and empty reads have no quality."""
    path = tmp_path / "a.fasta"
    path.write_text(">n\nNNNNNNNN\n>empty\n>half\nNNNNACGT\n>ok\nACGTACGT\n")

    ref = embed(path)

    table = lake.table(ref)
    both = int(ReadFlag.NO_KMERS | ReadFlag.HALF_EMPTY)
    assert table.column("flags").to_pylist() == [both, both, int(ReadFlag.HALF_EMPTY), 0]
    assert table.column("mean_quality").to_pylist() == [None] * 4
    assert np.isfinite(np.asarray(lake.array(ref))).all()
    assert not np.asarray(lake.array(ref))[:2].any()
    assert not lake.halves(ref)[0, 2].any()


@pytest.mark.usefixtures("no_small_inputs")
@pytest.mark.parametrize("workers", [1, 2])
def test_bad_record_has_its_number_and_line(workers: int, tmp_path: Path, texts: Any, embed: Any, lake: Lake) -> None:
    """A record deep in a file of many parts is named by its place in the whole file."""
    reads = texts.reads(200, 150, seed=4)
    name, seq, qual = reads[150]
    reads[150] = (name, seq[:-1] + "E", qual)
    path = tmp_path / "a.fastq"
    path.write_bytes(texts.fastq(reads))

    with pytest.raises(BadRecord) as caught:
        embed(path, workers=workers, part_bytes=5000)

    assert (caught.value.record, caught.value.line) == (151, 602)
    assert "'E'" in caught.value.found
    assert lake.names() == []


@pytest.mark.usefixtures("no_small_inputs")
def test_finished_parts_are_not_done_again(tmp_path: Path, texts: Any, embed: Any, lake: Lake) -> None:
    """After a failure, the parts that have receipts are used; only the others are computed."""
    reads = texts.reads(200, 150, seed=5)
    (tmp_path / "a.fastq").write_bytes(texts.fastq(reads))
    (tmp_path / "b.fastq").write_bytes(texts.fastq(reads) + b"@cut\nACG")
    with pytest.raises(BadRecord):
        embed(tmp_path / "a.fastq", tmp_path / "b.fastq", part_bytes=5000)
    receipts = {path: path.stat().st_mtime_ns for path in lake.scratch.glob("parts/*/*.json")}
    arrays = {path: path.stat().st_mtime_ns for path in lake.root.glob("gut/reads/arrays/*/*.npy")}
    assert len(receipts) > 20

    with pytest.raises(BadRecord):
        embed(tmp_path / "a.fastq", tmp_path / "b.fastq", part_bytes=5000)

    assert {path: path.stat().st_mtime_ns for path in receipts} == receipts
    assert {path: path.stat().st_mtime_ns for path in arrays} == arrays


def test_damaged_part_is_done_again(tmp_path: Path, texts: Any, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt whose shard lost a byte, or gained a wrong one, does not count."""
    path = tmp_path / "a.fastq"
    path.write_bytes(texts.fastq(texts.reads(100, 150, seed=6)))
    plan = _plan(lake, path, part_bytes=8000)
    monkeypatch.setattr(Lake, "commit", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        _embed(plan, lake)
    monkeypatch.undo()
    shards = sorted(lake.root.glob("gut/reads/arrays/*/part-*.npy"))
    shards[0].write_bytes(shards[0].read_bytes()[:-4] + b"\1\2\3\4")
    os.truncate(shards[1], 200)

    ref = _embed(plan, lake)

    facts = lake.read(ref).commit.facts
    assert facts["parts"] == {"total": len(shards), "reused": len(shards) - 2}
    other = _embed(_plan(lake, path, part_bytes=1 << 30, into="gut.other"), lake)
    assert rows_of(lake, ref) == rows_of(lake, other)


def _plan(lake: Lake, *paths: Path, into: str = "gut.reads", **more: Any) -> Any:
    files = sources.find_sources(
        [str(path) for path in paths], spool=lake.scratch / "spool", cache=lake.scratch / "cache"
    )
    return embedding.make_plan(files, into=Name.parse(into), cleaning=Cleaning(), **more)


def _embed(plan: Any, lake: Lake, *, mem_bytes: int = 1 << 30) -> Ref:
    return embedding.embed(plan, lake, workers=1, mem_bytes=mem_bytes, progress=Silent())


def test_input_that_changed_is_a_conflict(tmp_path: Path, texts: Any, lake: Lake) -> None:
    """A file that is not what the plan saw is not embedded; one that is gone is not found."""
    path = tmp_path / "a.fastq"
    path.write_bytes(texts.fastq(texts.reads(10, 100, seed=7)))
    plan = _plan(lake, path)
    path.write_bytes(texts.fastq(texts.reads(10, 100, seed=8)))

    with pytest.raises(Conflict, match="has changed"):
        _embed(plan, lake)
    path.unlink()
    with pytest.raises(NotFound, match="not there any more"):
        _embed(plan, lake)


def test_ultra_long_read_needs_memory_and_says_so(tmp_path: Path, lake: Lake) -> None:
    """A genome in lines of 80 that is longer than a block is read whole; one longer than memory is WontFit."""
    rng = np.random.default_rng(9)
    letters = rng.choice(np.frombuffer(b"ACGT", np.uint8), (150_000, 80))
    text = b">genome\n" + np.hstack([letters, np.full((len(letters), 1), 10, np.uint8)]).tobytes() + b">next\nACGTT\n"
    path = tmp_path / "genome.fasta"
    path.write_bytes(text)

    ref = _embed(_plan(lake, path), lake)
    one_line = np.frombuffer(b">genome\n" + letters.tobytes() + b"\n", np.uint8)
    expected = Scanner(FASTA, "kernel:4").scan(one_line, 0, len(one_line), at_end=True)

    assert lake.table(ref, ["length"]).column("length").to_pylist() == [12_000_000, 5]
    assert np.asarray(lake.array(ref))[0].tobytes() == expected.whole[0].tobytes()
    with pytest.raises(WontFit, match=r"genome\.fasta: the record at byte 0 .*--memory"):
        _embed(_plan(lake, path, into="gut.small"), lake, mem_bytes=240 << 20)


class Notes(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, text: str) -> None:
        self.said.append(text)


def test_memory_under_one_worker_is_refused(tmp_path: Path, texts: Any, lake: Lake) -> None:
    """WontFit says what would fit, which is what a worker is projected to take; and that does fit."""
    path = tmp_path / "a.fastq"
    path.write_bytes(texts.fastq(texts.reads(10, 100, seed=1)))
    plan = _plan(lake, path)
    least = embedding.project(plan, lake, workers=1).mem_bytes

    for mem_bytes in (1, 1 << 10, least - 1):
        with pytest.raises(WontFit, match=r"at least 224\.0 MiB with --memory"):
            _embed(plan, lake, mem_bytes=mem_bytes)

    assert lake.names() == []
    assert _embed(plan, lake, mem_bytes=least)


@pytest.mark.usefixtures("no_small_inputs")
def test_memory_bounds_the_workers(tmp_path: Path, texts: Any, lake: Lake) -> None:
    """As many workers as fit are started; it is said, and the product holds how many there were."""
    path = tmp_path / "a.fastq"
    path.write_bytes(texts.fastq(texts.reads(100, 150, seed=1)))
    plan, notes = _plan(lake, path, part_bytes=4000), Notes()
    enough = embedding.project(plan, lake, workers=2).mem_bytes

    ref = embedding.embed(plan, lake, workers=4, mem_bytes=enough, progress=notes)

    assert lake.read(ref).commit.facts["workers"] == 2
    assert notes.said == ["288.0 MiB of memory allow 2 of 4 workers"]


@pytest.mark.parametrize("files", [1, 3])
def test_records_of_small_files_are_held_to_memory_too(files: int, tmp_path: Path, lake: Lake) -> None:
    """In this process, in one thread or in many: a record that does not fit is refused, one that fits alone is read."""
    paths = [tmp_path / f"{i}.fasta" for i in range(files)]
    for i, path in enumerate(paths):
        path.write_bytes(b">genome%d\n" % i + b"ACGTTGCATTAG" * 400_000 + b"\n")

    with pytest.raises(WontFit, match="longer than"):
        _embed(_plan(lake, *paths), lake, mem_bytes=225 << 20)

    assert lake.read(_embed(_plan(lake, *paths), lake, mem_bytes=240 << 20)).commit.facts["records_out"] == files


def test_projection_is_near_what_happens(tmp_path: Path, texts: Any, lake: Lake) -> None:
    """Rows, and bytes of the shards, are projected from the first records; exactly where those are all."""
    path = tmp_path / "a.fastq"
    path.write_bytes(texts.fastq(texts.reads(120, 100, seed=10)))
    plan = _plan(lake, path)

    projection = embedding.project(plan, lake, workers=2)
    _embed(plan, lake)

    written = sum(file.stat().st_size for file in lake.root.glob("gut/reads/arrays/*/*.npy"))
    assert projection.rows == 120
    assert written < projection.out_bytes < 1.5 * written


def test_disk_that_is_too_small_is_told_before_work(
    tmp_path: Path, texts: Any, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """WontFit with what is needed and what is free; nothing is written."""
    path = tmp_path / "a.fastq"
    path.write_bytes(texts.fastq(texts.reads(50, 100, seed=10)))
    monkeypatch.setattr(embedding, "free_bytes", lambda _: 1000)

    with pytest.raises(WontFit, match="1000 B are free"):
        _embed(_plan(lake, path), lake)

    assert not list(lake.root.glob("gut/reads/arrays/*/*"))


def test_plain_kernels_give_the_same_product(
    tmp_path: Path, texts: Any, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without compiled kernels makes the same rows and the same shards."""
    path = tmp_path / "a.fastq"
    path.write_bytes(texts.fastq(texts.reads(30, 200, seed=12)))
    compiled = content(lake, _embed(_plan(lake, path), lake))

    monkeypatch.setattr("isthmus.kernels.scan.library", lambda: None)
    plain = content(lake, _embed(_plan(lake, path, into="gut.plain"), lake))

    assert plain == compiled
