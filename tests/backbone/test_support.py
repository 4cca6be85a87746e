"""Verdicts say what an input supports, with numbers, and refuse where composition cannot tell."""

from __future__ import annotations

from typing import Any

import pytest

from isthmus.backbone.support import MIN_MEDIAN_BP, mean_agreement, what_clusters_support, what_reads_support


def reads_facts(**changed: Any) -> dict[str, Any]:
    facts = {
        "records_in": 1_000,
        "records_out": 1_000,
        "bases_in": 8_000_000,
        "bases_out": 8_000_000,
        "dropped": {"too_short": 0, "low_quality": 0, "many_n": 0},
        "length": {"min": 500, "median": 8_000, "mean": 8_000, "n50": 9_000, "max": 30_000},
        "files": [{"source": "a.fastq", "format": "fastq"}],
        "flagged": {"no_kmers": 0, "half_empty": 0},
        "duplicate_names": 0,
    }
    return {**facts, **changed}


def lengths(median: float, low: int = 100, high: int = 90_000) -> dict[str, float]:
    return {"min": low, "median": median, "mean": median, "n50": median, "max": high}


def clusters_facts(sizes: list[int], agree: float | None = 0.95, **changed: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "k_asked": None,
        "rows": sum(sizes),
        "merge_threshold": 0.8,
        "pairs": [],
        "clusters": [
            {"cluster": i, "reads": n, "bp": n * 8_000, "gc": 0.5, "confidence_median": 0.9, "halves_agree": agree}
            for i, n in enumerate(sizes)
        ],
        "flagged": {"halves_disagree": 0, "chimera_suspect": 0, "unassigned": 0, "no_kmers": 0},
    }
    return {**facts, **changed}


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def said(verdict: Any) -> str:
    return plain(" ".join([verdict.headline, *verdict.findings]))


def test_long_clean_reads_are_fit_and_raise_no_finding() -> None:
    """A thousand clean 8 kb reads are good, and nothing needs to be said beside that."""
    verdict = what_reads_support(reads_facts())

    assert verdict.ok
    assert verdict.findings == ()
    assert "1,000 reads of median length 8.00 kb" in plain(verdict.headline)


@pytest.mark.parametrize(("median", "ok"), [(150, False), (999.5, False), (MIN_MEDIAN_BP, True), (1_500, True)])
def test_reads_under_one_kilobase_cannot_be_told_apart(median: float, ok: bool) -> None:
    """The border is a median of 1,000 bp: below it the verdict is no, and says why."""
    verdict = what_reads_support(reads_facts(length=lengths(median)))

    assert verdict.ok is ok
    assert ("too short to tell organisms apart" in verdict.headline) is not ok


def test_no_read_left_is_no_support_and_names_the_count() -> None:
    """Where cleaning took everything there is nothing to cluster."""
    verdict = what_reads_support(reads_facts(records_out=0))

    assert not verdict.ok
    assert "all 1,000" in verdict.headline


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"length": lengths(1_500)}, "only organisms of clearly different composition"),
        ({"records_in": 199, "records_out": 199}, "Only 199 reads"),
        (
            {"records_in": 4_000, "dropped": {"too_short": 500, "low_quality": 2_500, "many_n": 0}},
            "dropped 75 % of the reads, mostly because of low mean quality",
        ),
        ({"quality": {"median": 7.0}}, "Q7.0, about 20 % wrong bases"),
        ({"flagged": {"no_kmers": 0, "half_empty": 80}}, "80 reads (8 %) have a half without"),
        ({"files": [{"format": "fasta"}]}, "The input is FASTA"),
        ({"files": [{"format": "fasta"}, {"format": "fastq"}, {"format": "fastq"}]}, "1 of 3 files are FASTA"),
        ({"length": lengths(2_500, 2_500, 2_500)}, "exactly 2.50 kb long"),
        ({"duplicate_names": 3}, "3 read names occur more than once"),
    ],
)
def test_each_weakness_of_reads_is_said_once(changed: dict[str, Any], words: str) -> None:
    """Each weakness gives exactly its own finding, and leaves the verdict standing."""
    verdict = what_reads_support(reads_facts(**changed))

    assert verdict.ok
    assert len(verdict.findings) == 1
    assert words in plain(verdict.findings[0])


def test_facts_that_are_missing_raise_nothing() -> None:
    """Facts of an older commit may lack fields: no error and no finding."""
    verdict = what_reads_support({"records_out": 500})

    assert verdict.ok
    assert verdict.findings == ()


def test_one_cluster_left_is_called_one_organism() -> None:
    """Where merging ends at one cluster the page must say so, and what it cannot see."""
    verdict = what_clusters_support(reads_facts(), clusters_facts([1_000]))

    assert verdict.ok
    assert verdict.headline.startswith("One organism, as far as composition can tell")
    assert "Strains" in verdict.headline


def test_a_handful_of_reads_is_no_organism_found() -> None:
    """Merging cannot believe clusters of a dozen reads, so below a hundred one cluster says nothing."""
    verdict = what_clusters_support(reads_facts(), clusters_facts([99]))

    assert verdict.headline.startswith("One cluster of 99\u00a0reads: too few to say whether it is one organism.")
    assert "--clusters" in verdict.headline
    assert what_clusters_support(reads_facts(), clusters_facts([100])).headline.startswith("One organism")


def test_as_many_clusters_as_reads_are_not_called_well_supported() -> None:
    """Most clusters of under twenty reads: too few to be taken for organisms."""
    verdict = what_clusters_support(reads_facts(), clusters_facts([2_000, *[3] * 30]))

    assert "most of them hold under 20 reads" in verdict.headline


def test_reads_unlike_the_rest_of_one_organism_are_spoken_of() -> None:
    """A rare organism beside a common one shows as unassigned reads, not as a cluster."""
    facts = clusters_facts([1_000])
    facts["flagged"] = {**facts.get("flagged", {}), "unassigned": 12, "no_kmers": 0}

    verdict = what_clusters_support(reads_facts(), facts)

    assert any("12\u00a0reads" in one and "unlike the rest" in one for one in verdict.findings)


def test_one_cluster_that_was_asked_for_is_no_discovery() -> None:
    """`--clusters 1` says nothing about organisms."""
    verdict = what_clusters_support(reads_facts(), clusters_facts([1_000], k_asked=1))

    assert verdict.headline.startswith("One cluster, as asked for")


@pytest.mark.parametrize(
    ("agree", "ok", "word"),
    [(0.95, True, ", well supported"), (0.8, True, "fairly well"), (0.6, True, "weakly"), (0.4, False, "do not hold")],
)
def test_trust_follows_the_agreement_of_the_halves(agree: float, ok: bool, word: str) -> None:
    """The more reads keep both halves in one cluster, the more the clusters are worth."""
    verdict = what_clusters_support(reads_facts(), clusters_facts([600, 400], agree))

    assert verdict.ok is ok
    assert word in verdict.headline
    assert plain(f"{agree * 100:.0f} %") in plain(verdict.headline)


def test_agreement_is_weighted_by_reads_and_skips_unmeasured_clusters() -> None:
    """(0.9 x 300 + 0.5 x 100) / 400 = 0.8; the cluster without a measurement does not count."""
    clusters = [
        {"reads": 300, "halves_agree": 0.9},
        {"reads": 100, "halves_agree": 0.5},
        {"reads": 999, "halves_agree": None},
    ]

    assert mean_agreement(clusters) == pytest.approx(0.8)
    assert mean_agreement(clusters[2:]) is None


def test_unmeasured_agreement_is_said() -> None:
    """Without halves there is no measure of trust, and the page does not pretend one."""
    verdict = what_clusters_support(reads_facts(), clusters_facts([600, 400], None))

    assert verdict.ok
    assert "could not be measured" in verdict.headline


def test_short_reads_overrule_fine_clusters() -> None:
    """Forced short reads: the first thing said is that these are no organisms."""
    verdict = what_clusters_support(reads_facts(length=lengths(150, 150, 150)), clusters_facts([600, 400], 0.99))

    assert not verdict.ok
    assert "too short" in verdict.headline
    assert "Do not take the 2 clusters below for organisms" in plain(verdict.findings[0])


def test_one_cluster_of_short_reads_is_no_organism_found() -> None:
    """One cluster of short reads must not be read as one organism."""
    verdict = what_clusters_support(reads_facts(length=lengths(150)), clusters_facts([900]))

    assert "Do not take the one cluster below for an organism" in said(verdict)
    assert "One organism" not in said(verdict)


def test_ambiguous_pairs_are_counted_against_all_pairs() -> None:
    """Of 4 x 3 / 2 = 6 pairs one lies within 0.05 of the threshold 0.8."""
    pairs = [{"a": 0, "b": 1, "kept_share": 0.82}, {"a": 0, "b": 2, "kept_share": 0.86}]
    verdict = what_clusters_support(reads_facts(), clusters_facts([300, 300, 200, 200], pairs=pairs))

    assert "1 of 6 pairs of clusters is hard to tell apart" in said(verdict)


def test_unassigned_weak_small_and_chimeric_are_each_said() -> None:
    """Every weakness of the clusters has its sentence with its number."""
    facts = clusters_facts([500, 480, 15])
    facts["clusters"][1]["halves_agree"] = 0.6
    facts["flagged"] = {"unassigned": 300, "chimera_suspect": 4, "halves_disagree": 9, "no_kmers": 0}
    facts["rows"] = 1_295
    verdict = what_clusters_support(reads_facts(), facts)

    text = said(verdict)
    assert "23.2 % of the reads (300) fit no cluster" in text
    assert "In cluster 1 less than 75 %" in text
    assert "Cluster 2 has under 20 reads" in text
    assert "4 reads (0.3 %) may be chimeras" in text


@pytest.mark.parametrize(("reads", "said_so"), [(249, True), (250, False)])
def test_clusters_of_less_than_one_genome_may_be_its_parts(reads: int, said_so: bool) -> None:
    """499 reads of 8 kb are under 4 Mb: the clusters may be parts of a phage; 500 are 4 Mb, and nothing is said."""
    verdict = what_clusters_support(reads_facts(), clusters_facts([250, reads]))

    assert ("Perhaps no more than one organism" in verdict.headline) is said_so


@pytest.mark.parametrize(("gc", "one"), [((0.44, 0.55, 0.5), True), ((0.32, 0.43, 0.66), False)])
def test_clusters_far_apart_in_gc_are_not_parts_of_one_genome(gc: tuple[float, ...], one: bool) -> None:
    """Three small clusters 11 points of GC apart may be one phage; 34 points apart they are said to be several."""
    facts = clusters_facts([60, 60, 60])
    for cluster, own in zip(facts["clusters"], gc, strict=True):
        cluster["gc"] = own

    verdict = what_clusters_support(reads_facts(), facts)

    assert ("Perhaps no more than one organism" in verdict.headline) is one
    assert any("GC spans 34 points" in text for text in verdict.findings) is not one


@pytest.mark.parametrize("sizes", [[], [40, 10]])
def test_hardly_any_assigned_read_is_no_result(sizes: list[int]) -> None:
    """More than half unassigned, or no cluster at all: not ok."""
    facts = clusters_facts(sizes, rows=1_000)
    facts["flagged"]["unassigned"] = 1_000 - sum(sizes)
    verdict = what_clusters_support(reads_facts(), facts)

    assert not verdict.ok
    assert "Most reads fit no cluster" in verdict.headline


def test_many_weak_clusters_are_listed_in_short() -> None:
    """Nine weak clusters: five are named, four are counted."""
    verdict = what_clusters_support(reads_facts(), clusters_facts([100] * 9, 0.7))

    assert "clusters 0, 1, 2, 3, 4 and 4 more" in said(verdict)


def test_many_copies_of_one_read_are_spoken_of() -> None:
    """A thousand times one read is no evidence of one organism."""
    facts = {**reads_facts(), "duplicate_reads": 0}
    kept = int(facts["records_out"])

    told = what_reads_support({**facts, "duplicate_reads": kept - 1})

    assert any("copies of earlier ones" in one for one in told.findings)
    assert not any("copies" in one for one in what_reads_support(facts).findings)
