"""Pipeline files are read strictly."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.core.errors import InvalidInput
from isthmus.core.pipeline import read_pipeline
from isthmus.core.ref import Name

GOOD = """
[lake]
uri = "lake"
[prepare]
sources = ["reads/*.fastq.gz"]
into = "gut.reads"
[prepare.clean]
min_length = 1000
min_mean_quality = 8
[simulate.clusters]
program = "kmeans"
from = "gut.reads"
ranks = 2
k = 12
[report]
to = "report.html"
truth = "truth.tsv"
"""


def test_a_pipeline_is_read_with_paths_beside_the_file(tmp_path: Path) -> None:
    """The file of INTERFACE comes back whole; the program's own keys are its params."""
    (tmp_path / "p.toml").write_text(GOOD)

    pipeline = read_pipeline(tmp_path / "p.toml")

    assert pipeline.sources == (str(tmp_path / "reads/*.fastq.gz"),)
    assert pipeline.lake == str(tmp_path / "lake")
    assert pipeline.cleaning == {"min_length": 1000, "min_mean_quality": 8}
    assert pipeline.stages[0].into == Name("gut", "clusters")
    assert dict(pipeline.stages[0].params) == {"k": 12}
    assert (pipeline.report, pipeline.truth) == (tmp_path / "report.html", tmp_path / "truth.tsv")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("min_length", "min_lenght", r"\[prepare.clean\]: unknown key 'min_lenght'; did you mean 'min_length'"),
        ("[report]", "[reports]", "unknown key 'reports'; did you mean 'report'"),
        ('sources = ["reads/*.fastq.gz"]', "sources = []", "at least one path"),
        ('program = "kmeans"', "", "program is missing"),
        ("min_length = 1000", "min_length = true", "min_length must be int"),
        ("ranks = 2", 'ranks = "two"', "ranks must be int"),
        ("[lake]", "[lake", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_table(tmp_path: Path, before: str, after: str, message: str) -> None:
    """Each mistake gives one error with file, table and key."""
    (tmp_path / "p.toml").write_text(GOOD.replace(before, after))

    with pytest.raises(InvalidInput, match=message):
        read_pipeline(tmp_path / "p.toml")
