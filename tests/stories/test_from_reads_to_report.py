"""The whole way as a user types it: reads in, labels, bins and a page out."""

from __future__ import annotations

import csv
import gzip
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest


@pytest.fixture
def here(tmp_path: Path, community: Path) -> Path:
    """The user's folder, with the reads in it."""
    shutil.copy(community / "reads.fastq.gz", tmp_path)
    shutil.copy(community / "truth.tsv", tmp_path)
    return tmp_path


def fastq_records(path: Path) -> list[bytes]:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    lines = text.splitlines(keepends=True)
    return [b"".join(lines[i : i + 4]) for i in range(0, len(lines), 4)]


def test_run_makes_products_and_a_page_and_a_second_run_does_nothing_twice(
    here: Path, typed: Callable[..., Any]
) -> None:
    """One command gives both products and the report; the same command again gives the same versions."""
    first = typed("run", "reads.fastq.gz", "--truth", "truth.tsv", "--json")
    again = typed("run", "reads.fastq.gz", "--truth", "truth.tsv", "--json")

    assert first.code == 0, first.err
    assert first.json["products"] == {"reads": "default.reads@1", "clusters": "default.clusters@1"}
    assert again.json["products"] == first.json["products"]
    assert first.json["rows"] == len(fastq_records(here / "reads.fastq.gz"))
    assert first.json["scores"]["ari"] > 0.5
    assert set(first.json["seconds"]) == {"plan", "phase 1", "phase 2", "report"}
    page = (here / "isthmus-report.html").read_text()
    assert "default.clusters@1" in page
    assert typed("log", "default.clusters", "--json").json["versions"][0]["product"] == "default.clusters@1"


def test_everything_that_looks_agrees_with_what_was_made(here: Path, typed: Callable[..., Any]) -> None:
    """ls, show, lineage, export and doctor tell one story."""
    assert typed("run", "reads.fastq.gz", "--clusters", "12", "--min-length", "2000", "-q").code == 0

    listed = {one["product"]: one for one in typed("ls", "--json").json["products"]}
    rows = listed["default.clusters@1"]["rows"]
    lineage = typed("lineage", "default.clusters").out
    typed("export", "default.clusters", "--to", "labels.csv", "--truth", "truth.tsv")
    typed("export", "default.reads@1", "--to", "x.npy")
    typed("export", "default.reads", "--to", "reads.parquet")
    with (here / "labels.csv").open() as handle:
        labels = list(csv.DictReader(handle))
    vectors = np.load(here / "x.npy")

    assert listed["default.reads@1"]["rows"] == rows
    assert "reads.fastq.gz" in lineage
    assert "default.reads@1" in lineage
    piped = typed("export", "default.clusters", "--to", "-", "--truth", "truth.tsv")
    assert piped.out == (here / "labels.csv").read_text()
    assert list(labels[0]) == ["id", "source", "cluster", "confidence", "flags", "truth"]
    assert len(labels) == rows == len(vectors) == pq.read_metadata(here / "reads.parquet").num_rows
    assert vectors.shape[1] == 103
    assert {int(one["cluster"]) for one in labels} <= set(range(-1, 12))
    assert "103" in typed("show", "default.reads").out
    doctor = typed("doctor")
    assert doctor.code == 0, doctor.out
    assert "every checksum agrees" in doctor.out


def test_the_table_and_what_was_made_are_printed_for_people(here: Path, typed: Callable[..., Any]) -> None:
    """Results on standard output: clusters with units, scores, verdict, products; timings on standard error."""
    said = typed("run", "reads.fastq.gz", "--truth", "truth.tsv", "-q")

    assert said.out.splitlines()[0].split() == ["cluster", "reads", "Mbp", "share", "%", "GC", "%", "confidence"]
    assert re.search(r"^truth +ARI 0\.\d{3}, .*genomes recovered \d+ of 12$", said.out, re.MULTILINE)
    assert re.search(r"^clusters +default.clusters@1$", said.out, re.MULTILINE)
    assert re.search(r"^took \d+\.\d s: plan", said.err, re.MULTILINE)


def test_bins_hold_every_original_record_once_and_unchanged(here: Path, typed: Callable[..., Any]) -> None:
    """Bins and unassigned add up to the input, record for record, dropped ones too."""
    assert typed("run", "reads.fastq.gz", "--min-length", "3000", "-q").code == 0

    said = typed("export", "default.clusters", "--bins", "--to", "bins")

    assert said.code == 0, said.err
    written = [record for path in (here / "bins").glob("*.fastq") for record in fastq_records(path)]
    assert Counter(written) == Counter(fastq_records(here / "reads.fastq.gz"))
    with (here / "bins" / "abundance.tsv").open() as handle:
        abundance = list(csv.DictReader(handle, delimiter="\t"))
    assert sum(int(row["reads"]) for row in abundance) == len(written)
    assert "unassigned.fastq" in {path.name for path in (here / "bins").iterdir()}


def test_a_pipeline_file_does_the_same_as_the_flags(here: Path, typed: Callable[..., Any]) -> None:
    """The file and the command line make the same plans, so the second finds the first one's work done."""
    (here / "p.toml").write_text(
        '[prepare]\nsources = ["reads.fastq.gz"]\n'
        '[simulate.clusters]\nprogram = "kmeans"\nk = 5\n[report]\nto = "p.html"\n'
    )
    by_flags = typed("run", "reads.fastq.gz", "--clusters", "5", "--json")
    by_file = typed("run", "p.toml", "--json")

    assert by_file.code == 0, by_file.err
    assert by_file.json["products"] == by_flags.json["products"]
    assert (here / "p.html").is_file()
    assert typed("run", "p.toml", "--clusters", "3").code == 2


def test_standard_input_and_a_dry_run(here: Path, typed: Callable[..., Any]) -> None:
    """A dry run shows rows, bytes and memory and leaves no product; `-` reads the same records as the file."""
    text = gzip.decompress((here / "reads.fastq.gz").read_bytes())

    before = sorted(path.name for path in here.iterdir())
    dry = typed("embed", "reads.fastq.gz", "--dry-run", "--json")
    assert sorted(path.name for path in here.iterdir()) == before
    piped = typed("embed", "-", "--json", stdin=text)

    projected = dry.json["plans"][0]
    actual = len(fastq_records(here / "reads.fastq.gz"))
    assert abs(projected["rows"] - actual) < 0.5 * actual
    assert projected["mem_bytes"] > 0
    assert projected["free_bytes"] > 0
    assert piped.json["rows"] == actual
    assert piped.json["product"] == "default.reads@1"


@pytest.mark.parametrize("threads", ["1", "2"])
def test_python_says_the_same_words(here: Path, threads: str) -> None:
    """The API of the README's example, on its own lake."""
    from isthmus import api

    lake = api.open(here / "lake")
    reads = api.embed(lake, [here / "reads.fastq.gz"], into="gut.reads", with_="kmer:4", threads=int(threads))
    clusters = api.simulate(lake, "kmeans", reads, into="gut.clusters", k=4, ranks=int(threads))

    assert str(clusters) == "gut.clusters@1"
    assert lake.array(reads).shape[1] == 136
    assert set(lake.table(clusters).column("cluster").to_pylist()) <= {-1, 0, 1, 2, 3}
