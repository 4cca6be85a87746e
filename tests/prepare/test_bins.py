"""Bins: the original records, byte for byte, one file per cluster, and tables whose counts add up to the input."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from isthmus.backbone.lake import Change, Lake
from isthmus.backbone.schema import CLUSTERS
from isthmus.core.errors import Conflict, Corrupt, InvalidInput, NotFound
from isthmus.core.plan import Plan
from isthmus.core.progress import Silent
from isthmus.core.ref import Name, Ref
from isthmus.prepare import bins
from isthmus.prepare.bins import write_bins


def label(lake: Lake, reads: Ref, clusters: Iterable[int]) -> Ref:
    """A product of labels for `reads`, as phase 2 commits it."""
    rows = lake.table(reads)
    n = rows.num_rows
    columns = {
        **{name: rows.column(name) for name in ("id", "source", "record", "sample", "length", "shard", "row_in_shard")},
        "cluster": pa.array(list(clusters), pa.int32()),
        "confidence": pa.array(np.ones(n, np.float32)),
        "flags": pa.array(np.zeros(n, np.int32)),
    }
    table = pa.table([columns[field.name] for field in CLUSTERS], schema=CLUSTERS)
    plan = Plan("label", 1, Name.parse("gut.clusters"), (reads,))
    return lake.commit(Change(plan.target, "replace", plan, CLUSTERS, table.to_batches(max_chunksize=37)))


@pytest.fixture
def three_files(tmp_path: Path, texts: Any) -> list[Path]:
    """FASTQ with CRLF and no last newline, gzipped wrapped FASTQ, and FASTA with blank lines."""
    reads = texts.reads(120, 200, seed=31)
    crlf = texts.fastq(reads[:50]).replace(b"\n", b"\r\n")
    (tmp_path / "a.fastq").write_bytes(crlf.removesuffix(b"\r\n"))
    (tmp_path / "b.fq.gz").write_bytes(gzip.compress(texts.fastq(reads[50:90], width=60)))
    (tmp_path / "c.fna").write_bytes(texts.fasta(reads[90:]).replace(b"\n>", b"\n\n>"))
    return [tmp_path / "a.fastq", tmp_path / "b.fq.gz", tmp_path / "c.fna"]


def records_of(path: Path) -> list[bytes]:
    """The records of a file whose ids are read_<n>, as they stand in it, without blank lines behind them."""
    text = path.read_bytes()
    text = gzip.decompress(text) if text.startswith(b"\x1f\x8b") else text
    mark = text[:1]
    pieces = text.split(mark + b"read_")[1:]
    return [mark + b"read_" + piece.removesuffix(b"\n\n").rstrip(b"\r\n") for piece in pieces]


def test_every_record_is_where_its_label_says(three_files: list[Path], tmp_path: Path, embed: Any, lake: Lake) -> None:
    """Files, order and bytes; dropped and unassigned reads in `unassigned`; FASTQ and FASTA apart."""
    reads = embed(*three_files, min_length=60, part_bytes=3000)
    n = lake.read(reads).commit.rows
    clusters = [i % 4 - 1 for i in range(n)]  # -1 0 1 2 -1 ...
    ref = label(lake, reads, clusters)

    summary = write_bins(lake, ref, tmp_path / "bins", progress=Silent())

    table = lake.table(reads, ["source", "record"]).to_pydict()
    of = dict(zip(zip(table["source"], table["record"], strict=True), clusters, strict=True))
    expected: dict[str, list[bytes]] = {}
    for path in three_files:
        kind = "fasta" if path.suffix == ".fna" else "fastq"
        for i, record in enumerate(records_of(path)):
            cluster = of.get((str(path), i), -1)
            name = f"{'unassigned' if cluster < 0 else f'bin_{cluster:04d}'}.{kind}"
            expected.setdefault(name, []).append(record)
    assert expected.keys() == {name for name in summary.files if not name.endswith(".tsv")}
    for name, records in expected.items():
        assert records_of(tmp_path / "bins" / name) == records
        assert (tmp_path / "bins" / name).read_bytes().endswith(b"\n")
    assert summary.reads == 120
    assert summary.bins == 3


def test_tables_add_up_to_the_input(three_files: list[Path], tmp_path: Path, embed: Any, lake: Lake) -> None:
    """contig2bin.tsv names every assigned read once; abundance.tsv sums to reads and bases, shares to 1 per sample."""
    reads = embed(*three_files, min_length=60)
    commit = lake.read(reads).commit
    ref = label(lake, reads, [i % 3 - 1 for i in range(commit.rows)])

    summary = write_bins(lake, ref, tmp_path / "bins", progress=Silent())

    rows = [line.split("\t") for line in (tmp_path / "bins" / "abundance.tsv").read_text().splitlines()]
    header, body = rows[0], rows[1:]
    assert header == ["bin", "sample", "reads", "bp", "share"]
    assert [(row[0], row[1]) for row in body] == [
        (name, sample) for name in ("bin_0000", "bin_0001", "unassigned") for sample in ("a", "b", "c")
    ]
    assert sum(int(row[2]) for row in body) == summary.reads == commit.facts["records_in"]
    assert sum(int(row[3]) for row in body) == summary.bases == commit.facts["bases_in"]
    for sample in "abc":
        assert abs(sum(float(row[4]) for row in body if row[1] == sample) - 1) < 1e-5
    pairs = [line.split("\t") for line in (tmp_path / "bins" / "contig2bin.tsv").read_text().splitlines()]
    table = lake.table(ref, ["id", "cluster"]).to_pylist()
    assert pairs == [[row["id"], f"bin_{row['cluster']:04d}"] for row in table if row["cluster"] >= 0]


def test_more_bins_than_open_files(
    tmp_path: Path, texts: Any, embed: Any, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that was closed meanwhile is gone on with, not begun again."""
    monkeypatch.setattr(bins, "_OPEN_FILES", 3)
    path = tmp_path / "a.fastq"
    path.write_bytes(texts.fastq(texts.reads(200, 50, seed=3)))
    reads = embed(path)
    ref = label(lake, reads, [i % 70 for i in range(200)])

    summary = write_bins(lake, ref, tmp_path / "bins", progress=Silent())

    assert summary.bins == 70
    originals = records_of(path)
    for cluster in range(70):
        assert records_of(tmp_path / "bins" / f"bin_{cluster:04d}.fastq") == originals[cluster::70]


def test_used_folder_is_refused_and_failure_leaves_none(tmp_path: Path, texts: Any, embed: Any, lake: Lake) -> None:
    """A folder with content is never written into; a changed or missing original ends in words, without a folder."""
    path = tmp_path / "a.fastq"
    path.write_bytes(texts.fastq(texts.reads(10, 50, seed=3)))
    reads = embed(path)
    ref = label(lake, reads, [0] * 10)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()

    with pytest.raises(InvalidInput, match="not empty"):
        write_bins(lake, ref, tmp_path / "used", progress=Silent())
    path.write_bytes(path.read_bytes().replace(b"A", b"C"))
    with pytest.raises(Conflict, match="has changed since"):
        write_bins(lake, ref, tmp_path / "bins", progress=Silent())
    path.unlink()
    with pytest.raises(NotFound, match="restore it"):
        write_bins(lake, ref, tmp_path / "bins", progress=Silent())

    assert sorted(one.name for one in tmp_path.iterdir()) == ["lake", "used"]


def test_labels_of_other_records_are_corrupt(tmp_path: Path, texts: Any, embed: Any, lake: Lake) -> None:
    """Labels whose lengths are not those of the file's records are not believed."""
    path = tmp_path / "a.fastq"
    path.write_bytes(texts.fastq(texts.reads(10, 50, seed=3)))
    reads = embed(path)
    table = lake.table(label(lake, reads, [0] * 10))
    wrong = table.set_column(
        table.schema.get_field_index("length"), CLUSTERS.field("length"), pa.array([7] * 10, pa.int32())
    )
    plan = Plan("label", 2, Name.parse("gut.wrong"), (reads,))
    ref = lake.commit(Change(plan.target, "replace", plan, CLUSTERS, wrong.to_batches()))

    with pytest.raises(Corrupt, match="do not fit"):
        write_bins(lake, ref, tmp_path / "bins", progress=Silent())

    assert not (tmp_path / "bins").exists()
