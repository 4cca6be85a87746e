"""Real public reads: what the command says about each kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_one_phage_is_said_to_be_one_organism(real_data: Path, tmp_path: Path, typed: Callable[..., Any]) -> None:
    """Long reads of lambda alone, wrapped FASTQ: the page opens with 'one organism'."""
    said = typed("run", real_data / "reads/racon/lambda_long_reads_MULTILINE.fastq.gz", "--json")

    assert said.code == 0, said.err
    assert "one organism" in said.json["verdict"]["headline"].lower()
    assert "one organism" in (tmp_path / "isthmus-report.html").read_text().lower()


@pytest.mark.parametrize(
    "reads", ["reads/metabinR/reads.metagenome.fasta.gz", "reads/trimgalore/illumina_10K.fastq.gz"]
)
def test_short_reads_are_refused_until_forced(
    real_data: Path, tmp_path: Path, typed: Callable[..., Any], reads: str
) -> None:
    """Composition does not separate organisms under 1 kb: said, exit 2, reads kept; forced, the page says so first."""
    refused = typed("run", real_data / reads)
    forced = typed("run", real_data / reads, "--force", "--json")

    assert refused.code == 2
    assert "--force" in refused.err
    assert "default.reads@1" in refused.err
    assert forced.code == 0, forced.err
    assert forced.json["verdict"]["ok"] is False
    page = (tmp_path / "isthmus-report.html").read_text()
    assert "too short to tell organisms apart by composition" in page


@pytest.mark.parametrize(
    "reads",
    [
        "reads/nanotest/ecoli_ultralong_ONT_371.fa.gz",
        "reads/nanotest/reads-mixed-timestamp.fastq",
        "reads/unicycler/long_reads_low_depth.fastq.gz",
        "reads/bowtie2/longreads.fq.gz",
    ],
)
def test_long_reads_of_every_kind_go_through(
    real_data: Path, tmp_path: Path, typed: Callable[..., Any], reads: str
) -> None:
    """FASTA of 393-kb reads, a handful of nanopore reads, a low-depth run: labels, page, bins that add up."""
    said = typed("run", real_data / reads, "--force", "--json")
    bins = typed("export", "default.clusters", "--bins", "--to", "bins")

    assert said.code == 0, said.err
    assert bins.code == 0, bins.err
    assert (tmp_path / "isthmus-report.html").is_file()


def test_all_trimgalore_files_at_once(real_data: Path, typed: Callable[..., Any]) -> None:
    """A glob of many short-read files goes through by force; the empty and the colour-space file are named."""
    folder = real_data / "reads/trimgalore"
    said = typed("run", folder / "*_R[12].fastq.gz", "--force", "--json")
    empty = typed("run", folder / "empty_file.fastq")
    colours = typed("run", folder / "colorspace_file.fastq")

    assert said.code == 0, said.err
    assert empty.code == 2
    assert "empty" in empty.err
    assert colours.code == 2
    assert "colour" in colours.err
