"""The page says what was found, for every kind of input, in one file that is written whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sklearn import metrics

from isthmus.core.errors import BadRecord, InvalidInput, NotFound
from isthmus.report.page import write_report

Make = Callable[..., Any]


def text_of(path: Path) -> str:
    """What a reader sees, tables as words; no-break spaces as spaces."""
    page = path.read_text(encoding="utf-8")
    page = re.sub(r"<(style|script|title|desc)\b.*?</\1>", " ", page, flags=re.S)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)).replace("\u00a0", " "))


def test_page_opens_with_the_verdict_and_returns_it(make_products: Make, tmp_path: Path) -> None:
    """The headline stands before everything else on the page, and is what the caller gets to print."""
    made = make_products()

    got = write_report(made.lake, made.clusters, to=tmp_path / "r.html")

    text = text_of(tmp_path / "r.html")
    headline = got["verdict"]["headline"].replace("\u00a0", " ")
    assert got["verdict"]["ok"] is True
    assert "3 clusters from 372 reads" in headline
    assert 0 < text.index(headline) < text.index("What went in")
    assert got["path"] == str(tmp_path / "r.html")
    assert got["scores"] is None
    json.dumps(got, allow_nan=False)


def test_short_reads_open_with_a_warning(make_products: Make, tmp_path: Path) -> None:
    """Reads of 150 bp that were forced through: the page warns first, in bold, and denies the clusters."""
    made = make_products(sizes=(90, 60), mean_length=150, one_length=True)

    got = write_report(made.lake, made.clusters, to=tmp_path / "r.html")

    page = (tmp_path / "r.html").read_text()
    assert got["verdict"]["ok"] is False
    assert '<section class="verdict no"' in page
    assert "Warning: what this input does not support" in page
    assert "Do not take the 2 clusters below for organisms" in text_of(tmp_path / "r.html")


def test_one_organism_is_said_first(make_products: Make, tmp_path: Path) -> None:
    """One cluster: the first sentence says one organism."""
    made = make_products(sizes=(250,), unassigned=0)

    got = write_report(made.lake, made.clusters, to=tmp_path / "r.html")

    assert got["verdict"]["headline"].startswith("One organism")
    assert "None: there are no two clusters to compare" in text_of(tmp_path / "r.html")


def test_numbers_of_the_page_add_up(make_products: Make, tmp_path: Path) -> None:
    """412 reads came in, 31 + 9 were dropped, 372 are in the clusters' table, whose sizes are those of the lake."""
    made = make_products()
    write_report(made.lake, made.clusters, to=tmp_path / "r.html")

    text = text_of(tmp_path / "r.html")
    sizes = made.lake.table(made.clusters, ["cluster"])["cluster"].to_pylist()
    assert "came in 412 100 %" in text
    assert "too short under 500 bp −31 7.5 %" in text
    assert "mean quality too low under Q7 −9 2.2 %" in text
    assert "too many unknown bases (N) over 10 % 0 0 %" in text
    assert "kept 372 90.3 %" in text
    assert "do not add up" not in text
    for cluster in range(3):
        assert re.search(rf"\b{cluster} {sizes.count(cluster)} [\d.]+ [kM]b ", text)
    assert "All 372" in text


def test_counts_that_contradict_each_other_are_not_hidden(make_products: Make, tmp_path: Path) -> None:
    """A commit whose facts do not add up is shown with a warning in the cleaning table."""
    made = make_products(reads_facts={"records_in": 999})

    write_report(made.lake, made.clusters, to=tmp_path / "r.html")

    assert "These counts do not add up" in text_of(tmp_path / "r.html")


def test_scores_are_those_of_the_lake_against_the_truth(make_products: Make, tmp_path: Path) -> None:
    """ARI of the page is ARI of the table and the truth file, joined by name; JSON can hold all of it."""
    made = make_products()
    table = made.lake.table(made.clusters, ["id", "cluster"])

    got = write_report(made.lake, made.clusters, to=tmp_path / "r.html", truth=made.write_truth(tmp_path / "t.tsv"))

    labels = [made.truth[name] for name in table["id"].to_pylist()]
    expected = metrics.adjusted_rand_score(labels, table["cluster"].to_pylist())
    assert got["scores"]["ari"] == pytest.approx(expected)
    assert got["scores"]["nmi"] == pytest.approx(
        metrics.normalized_mutual_info_score(labels, table["cluster"].to_pylist())
    )
    assert f"Adjusted Rand index {expected:.3f}" in text_of(tmp_path / "r.html")
    json.dumps(got, allow_nan=False)


def test_truth_may_know_only_some_reads(make_products: Make, tmp_path: Path) -> None:
    """Reads that the truth does not name are left out of the scores, and the page says how many count."""
    made = make_products()
    names = list(made.truth)[:100]
    truth = tmp_path / "t.tsv"
    truth.write_text("label\tid\n" + "".join(f"{made.truth[name]}\t{name}\n" for name in names))

    got = write_report(made.lake, made.clusters, to=tmp_path / "r.html", truth=truth)

    assert got["scores"]["reads"] == 100
    assert "Reads with a known origin 100 of 372" in text_of(tmp_path / "r.html")


def test_pairs_stand_in_the_order_of_the_bound_that_decides(make_products: Make, tmp_path: Path) -> None:
    """The share and its lower bound are both shown; the lowest bound comes first, though its share is the highest."""
    made = make_products()

    write_report(made.lake, made.clusters, to=tmp_path / "r.html")

    text = text_of(tmp_path / "r.html").replace("\u00a0", " ")
    assert "At least (decides)" in text
    assert text.index("98.0 % 82.0 %") < text.index("97.0 % 83.0 %")


def test_one_cluster_shows_no_numbers_that_mean_nothing(make_products: Make, tmp_path: Path) -> None:
    """No curve of cut-offs and no agreement of halves where there is nothing to choose between."""
    made = make_products(sizes=(300,))

    write_report(made.lake, made.clusters, to=tmp_path / "r.html")

    text = text_of(tmp_path / "r.html")
    assert "fewer than two clusters" in text
    assert "What a stricter cut leaves" not in text


def test_truth_may_be_of_more_reads_than_these(make_products: Make, tmp_path: Path) -> None:
    """Unknown ids, more than cleaning dropped, are counted on the page and are no error."""
    made = make_products()
    truth = made.write_truth(tmp_path / "t.tsv")
    with truth.open("a") as more:
        more.writelines(f"dropped{i}\tx\n" for i in range(1_000))

    write_report(made.lake, made.clusters, to=tmp_path / "r.html", truth=truth)

    assert "Ids of no read here 1,000" in text_of(tmp_path / "r.html")


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        ("name\tlabel\nread0\ta\n", InvalidInput, "columns 'name', 'label'"),
        ("id,label\nread0,a\n", InvalidInput, "line 1"),
        ("", InvalidInput, "expected a tab-separated header"),
        ("id\tlabel\n", InvalidInput, "no row"),
        ("id\tlabel\nread0\ta\nread0\tb\n", BadRecord, "line 3.*second label 'b'"),
        ("id\tlabel\nread0\n", BadRecord, "line 2"),
        ("id\tlabel\nsomething\ta\nelse\tb\n", InvalidInput, "none of its 2 ids"),
        (b"id\tlabel\n\xff\xfe\ta\n", InvalidInput, "cannot be read"),
        (None, NotFound, "does not exist"),
    ],
    ids=["columns", "commas", "empty", "header only", "two labels", "short row", "no overlap", "bytes", "missing"],
)
def test_a_truth_that_does_not_fit_is_refused_and_nothing_is_written(
    make_products: Make, tmp_path: Path, content: str | bytes | None, error: type[Exception], words: str
) -> None:
    """Each bad truth file ends in an error that names it; an older page stays as it was."""
    made = make_products(sizes=(20, 10), unassigned=0)
    truth, to = tmp_path / "truth.tsv", tmp_path / "r.html"
    to.write_text("older page")
    if content is not None:
        truth.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(error, match=words) as caught:
        write_report(made.lake, made.clusters, to=to, truth=truth)

    assert "truth.tsv" in str(caught.value)
    assert to.read_text() == "older page"
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".tmp") == []


def test_a_product_without_labels_is_refused(make_products: Make, tmp_path: Path) -> None:
    """The reads themselves are no clusters; a folder is no file."""
    made = make_products(sizes=(20, 10), unassigned=0)

    with pytest.raises(InvalidInput, match="does not hold cluster labels"):
        write_report(made.lake, made.reads, to=tmp_path / "r.html")
    with pytest.raises(InvalidInput, match="is a folder"):
        write_report(made.lake, made.clusters, to=tmp_path)
    with pytest.raises(NotFound):
        write_report(made.lake, made.clusters.name.at(9), to=tmp_path / "r.html")


def test_the_same_product_gives_the_same_bytes(make_products: Make, tmp_path: Path) -> None:
    """Nothing on the page depends on when, where or in which process it was written."""
    made = make_products()
    truth = made.write_truth(tmp_path / "t.tsv")

    for name in ("one", "two"):
        write_report(made.lake, made.clusters, to=tmp_path / name, truth=truth, command="isthmus run x")

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize(
    "how",
    [
        {"sizes": (1,), "unassigned": 0},
        {"sizes": (1,), "unassigned": 0, "fasta": True},
        {"sizes": (), "unassigned": 30},
        {"sizes": (3, 1), "unassigned": 1},
        {"sizes": (5, 0), "unassigned": 0},
        {"sizes": (40, 30), "one_length": True, "mean_length": 1},
        {"sizes": (40, 30), "embedder": "kernel:4"},
        {"sizes": (40, 30), "facts": {"cutoffs": [], "pairs": [], "merges": [], "merge_threshold": None}},
        {"sizes": (40, 30), "facts": {"versions": None, "seconds": None, "ranks": None, "k_start": None}},
        {"sizes": (40, 30), "reads_facts": {"length": {}, "seconds": {}, "parts": None, "workers": None}},
        {"sizes": tuple(range(70, 0, -1)), "unassigned": 5},
    ],
    ids=[
        "one read",
        "one FASTA read",
        "nothing assigned",
        "five reads",
        "an empty cluster",
        "all of 1 bp",
        "kernel",
        "K was given",
        "few facts of clusters",
        "few facts of reads",
        "more clusters than marks",
    ],
)
@pytest.mark.parametrize("with_truth", [False, True])
def test_every_kind_of_product_has_a_page(
    make_products: Make, tmp_path: Path, how: dict[str, Any], with_truth: bool
) -> None:
    """Few, odd and many: the page is written, complete, and free of 'nan' and 'None'."""
    made = make_products(**how)
    truth = made.write_truth(tmp_path / "t.tsv") if with_truth else None

    got = write_report(made.lake, made.clusters, to=tmp_path / "r.html", truth=truth)

    text = text_of(tmp_path / "r.html")
    assert text.rstrip().endswith("loads nothing from the network.")
    assert not re.search(r"\bnan\b|\bNone\b(?!:)|\binf\b", text)
    assert (got["scores"] is not None) is with_truth


def test_hundreds_of_files_are_folded_and_summed(make_products: Make, tmp_path: Path) -> None:
    """Of 300 files twelve are open, the others folded; the sum stands once."""
    made = make_products(sources=[f"run{i:03d}.fastq" for i in range(300)], samples=[f"s{i}" for i in range(50)])

    write_report(made.lake, made.clusters, to=tmp_path / "r.html")

    text = text_of(tmp_path / "r.html")
    assert "300 files of 50 samples" in text
    assert "The other 288 files" in text
    assert "The other 38 samples" in text
    assert text.count("All 300 files") == 1


def test_names_are_escaped_everywhere(make_products: Make, tmp_path: Path) -> None:
    """No tag of a user's name reaches the page as a tag, no control or direction character as itself."""
    attack = "<script>alert(1)</script>\u202e\x07"
    made = make_products(
        prefix=attack,
        label=attack,
        sources=(attack, "b.fastq"),
        samples=(attack, "two"),
        reads_facts={"warnings": [attack]},
        facts={"job_folder": attack, "versions": {attack: attack}, "seconds": {attack: 1.5}},
    )
    truth = made.write_truth(tmp_path / "t.tsv")

    write_report(
        made.lake, made.clusters, to=tmp_path / "r.html", truth=truth, command=attack + "\udcff", seconds={attack: 2}
    )

    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.count("<script>") == 1
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert "\x07" not in page


def test_record_names_every_step_and_how_to_repeat_it(make_products: Make, tmp_path: Path) -> None:
    """Raw file with hash, both products with their plans, parameters, stages, versions, the command."""
    made = make_products()
    command = "isthmus run 'my reads.fastq.gz' --clusters 3"

    write_report(made.lake, made.clusters, to=tmp_path / "r.html", command=command, seconds={"embed": 1.25})

    text = text_of(tmp_path / "r.html")
    for ref in (made.clusters, made.reads):
        assert made.lake.read(ref).commit.plan in text
    assert f"{0:032x}" in text
    assert text.index("gut.clusters@1 : 372 rows") < text.index("gut.reads@1 : 372 rows")
    assert "embed 1.2 s" in text or "embed 1.3 s" in text
    assert "MPICH 4.3" in text
    assert command in text
    assert "isthmus export gut.clusters@1 --bins --to bins/" in text


def test_page_loads_nothing(make_products: Make, tmp_path: Path) -> None:
    """No address of the network, no handler in an attribute, no style attribute: what the policy would forbid."""
    made = make_products()

    write_report(made.lake, made.clusters, to=tmp_path / "r.html")

    page = unescape((tmp_path / "r.html").read_text())
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|\bsrc=|@import|url\(|<link|\son\w+=|\sstyle=", page)


def test_low_quality_is_said_from_the_reads_themselves(make_products: Make, tmp_path: Path) -> None:
    """Reads around Q6: the page says so, with the share of wrong bases, 10^-0.6 = 25 %."""
    made = make_products(quality=6.0)

    got = write_report(made.lake, made.clusters, to=tmp_path / "r.html")

    said = next(one for one in got["verdict"]["findings"] if "Low quality" in one)
    assert re.search(r"Q(5\.[89]|6\.[012]), about 2[456]", said)
