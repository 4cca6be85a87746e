"""What an input can support, as plain sentences: facts of commits in, verdicts out; nothing is read or written here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isthmus.core.units import bases, count, percent

MIN_MEDIAN_BP = 1_000  # below it k-mer composition says more about the read than about the organism
SOUND_MEDIAN_BP = 2_000  # below it only distant organisms separate
FEW_READS = 200  # fewer give no stable picture of a cluster
MANY_DROPPED = 0.5
LOW_QUALITY_Q = 10.0  # Phred; one base in ten is wrong
MANY_EMPTY_HALVES = 0.05
MANY_UNASSIGNED = 0.2
GOOD_AGREEMENT = 0.9
FAIR_AGREEMENT = 0.75
POOR_AGREEMENT = 0.5
NEAR_THRESHOLD = 0.05  # a pair this close above the merge threshold might as well have been merged
SMALL_CLUSTER_READS = 20
FEW_FOR_ONE = 100  # reads below which one cluster says nothing: merging cannot believe clusters of a dozen reads
MANY_COPIES = 0.2  # share of reads that repeat an earlier one
ONE_GENOME_BP = 4_000_000  # bacterial genomes have some 0.5 to 10 Mb, half of them under about 4
ONE_GENOME_GC = 0.15  # stretches of one genome differ less in GC: the two arms of phage lambda by some 0.1


@dataclass(frozen=True)
class Verdict:
    """What can be concluded.

    Args:
        ok:       False where the result must not be read as organisms.
        headline: one sentence, the conclusion.
        findings: further sentences, the weightiest first; each with its numbers.
    """

    ok: bool
    headline: str
    findings: tuple[str, ...] = ()


def what_reads_support(reads_facts: Mapping[str, Any]) -> Verdict:
    """Judge reads before they are clustered.

    Args:    reads_facts: facts of a commit of embedded reads (docs/house.md); a missing fact yields no finding.
    Returns: not ok where no read is left or the median length is under `MIN_MEDIAN_BP`.
    """
    kept = int(reads_facts.get("records_out") or 0)
    if kept == 0:
        came = int(reads_facts.get("records_in") or 0)
        return Verdict(False, f"No read is left to cluster: cleaning dropped all {count(came)}.", ())
    findings = tuple(text for text in (rule(reads_facts, kept) for rule in _READ_RULES) if text)
    median = _number(reads_facts, "length", "median")
    if median is not None and median < MIN_MEDIAN_BP:
        return Verdict(
            False,
            f"These reads are too short to tell organisms apart by composition: half of them are {bases(median)} or "
            f"shorter, and below 1\u00a0kb reads of one organism differ from each other almost as much as "
            "from those of another.",
            findings,
        )
    length = f" of median length {bases(median)}" if median is not None else ""
    return Verdict(True, f"{count(kept, 'read')}{length}: long enough to group by composition.", findings)


def what_clusters_support(reads_facts: Mapping[str, Any], clusters_facts: Mapping[str, Any]) -> Verdict:
    """Judge clusters, with what their reads can support first.

    Args:    reads_facts, clusters_facts: facts of the two commits (docs/house.md).
    Returns: not ok where the reads are not, where no or hardly any read found a cluster, or where the two halves of
             the reads mostly disagree.
    """
    reads = what_reads_support(reads_facts)
    clusters = [one for one in clusters_facts.get("clusters") or [] if int(one["reads"]) > 0]
    total = int(clusters_facts.get("rows") or sum(int(one["reads"]) for one in clusters))
    unassigned = _share(clusters_facts.get("flagged", {}).get("unassigned"), total)
    agree = mean_agreement(clusters)
    findings = [text for text in (rule(clusters_facts, clusters, total) for rule in _CLUSTER_RULES) if text]
    findings += reads.findings
    if not reads.ok:
        these = (
            "one cluster below for an organism"
            if len(clusters) == 1
            else f"{len(clusters)} clusters below for organisms"
        )
        return Verdict(False, reads.headline, (f"Do not take the {these}.", *findings))
    if not clusters or unassigned > 0.5:
        return Verdict(
            False,
            f"Most reads fit no cluster: {percent(unassigned)} of {count(total)} are unassigned.",
            tuple(findings),
        )
    if len(clusters) == 1:
        return Verdict(True, _one_cluster(clusters_facts, clusters[0]), tuple(findings))
    if agree is not None and agree < POOR_AGREEMENT:
        return Verdict(
            False,
            f"The {count(len(clusters), 'cluster')} do not hold: only {percent(agree)} of the reads have both halves "
            "in the same cluster.",
            tuple(findings),
        )
    return Verdict(True, _several_clusters(clusters, total, agree), tuple(findings))


def mean_agreement(clusters: Sequence[Mapping[str, Any]]) -> float | None:
    """Share of reads whose two halves fall into the same cluster, over all clusters; None where it was not measured."""
    known = [(float(one["halves_agree"]), int(one["reads"])) for one in clusters if one.get("halves_agree") is not None]
    weight = sum(reads for _, reads in known)
    return sum(share * reads for share, reads in known) / weight if weight else None


def _one_cluster(facts: Mapping[str, Any], cluster: Mapping[str, Any]) -> str:
    if facts.get("k_asked") == 1:
        return f"One cluster, as asked for: {count(cluster['reads'], 'read')}, {bases(cluster['bp'])}."
    if int(cluster["reads"]) < FEW_FOR_ONE:
        return (
            f"One cluster of {count(cluster['reads'], 'read')}: too few to say whether it is one organism. Where you "
            "know that there are more, ask for them with --clusters."
        )
    return (
        f"One organism, as far as composition can tell: {count(cluster['reads'], 'read')}, {bases(cluster['bp'])}, all "
        "in one cluster. Strains, and species or genera of like composition, would look like this too."
    )


def _several_clusters(clusters: Sequence[Mapping[str, Any]], total: int, agree: float | None) -> str:
    bp = sum(int(one["bp"]) for one in clusters)
    if bp < ONE_GENOME_BP and _gc_span(clusters) <= ONE_GENOME_GC:
        return (
            f"Perhaps no more than one organism: the {count(len(clusters), 'cluster')} hold {bases(bp)} together, less "
            f"than one usual bacterial genome ({bases(ONE_GENOME_BP)}), and may be stretches of one small genome, such "
            "as a phage or a plasmid, that was read many times."
        )
    head = f"{count(len(clusters), 'cluster')} from {count(total, 'read')}"
    small = sum(int(one["reads"]) < SMALL_CLUSTER_READS for one in clusters)
    if 2 * small > len(clusters):
        return f"{head}: most of them hold under {SMALL_CLUSTER_READS} reads, too few to be taken for organisms."
    if agree is None:
        return f"{head}; how far they can be trusted could not be measured, since no read had two usable halves."
    word = "well" if agree >= GOOD_AGREEMENT else "fairly well" if agree >= FAIR_AGREEMENT else "weakly"
    return f"{head}, {word} supported: cut in two, {percent(agree)} of the reads have both halves in the same cluster."


# ---- findings about reads: (facts, reads kept) -> a sentence, or '' where there is nothing to say


def _middling_length(facts: Mapping[str, Any], kept: int) -> str:
    median = _number(facts, "length", "median")
    if median is None or not MIN_MEDIAN_BP <= median < SOUND_MEDIAN_BP:
        return ""
    return (
        f"The median read is {bases(median)} long: between {bases(MIN_MEDIAN_BP)} and {bases(SOUND_MEDIAN_BP)} only "
        "organisms of clearly different composition separate."
    )


def _few_reads(facts: Mapping[str, Any], kept: int) -> str:
    if kept >= FEW_READS:
        return ""
    return f"Only {count(kept, 'read')}: below {FEW_READS} cluster sizes and numbers are guesses."


def _many_dropped(facts: Mapping[str, Any], kept: int) -> str:
    came = int(facts.get("records_in") or 0)
    lost = _share(came - kept, came)
    if lost < MANY_DROPPED:
        return ""
    worst = max(facts.get("dropped") or {"": 0}, key=lambda why: (facts.get("dropped") or {"": 0})[why])
    why = f", mostly {WHY_DROPPED.get(worst, worst)}" if worst else ""
    return f"Cleaning dropped {percent(lost)} of the reads{why}: what is left may not stand for the sample."


def _low_quality(facts: Mapping[str, Any], kept: int) -> str:
    quality = _number(facts, "quality", "median")
    if quality is None or quality >= LOW_QUALITY_Q:
        return ""
    wrong = 10 ** (-quality / 10)
    return f"Low quality: the median read has Q{quality:.1f}, about {percent(wrong)} wrong bases."


def _empty_halves(facts: Mapping[str, Any], kept: int) -> str:
    empty = int((facts.get("flagged") or {}).get("half_empty") or 0)
    if _share(empty, kept) < MANY_EMPTY_HALVES:
        return ""
    return (
        f"{count(empty, 'read')} ({percent(_share(empty, kept))}) have a half without a single valid k-mer, so their "
        "clusters cannot be checked."
    )


def _no_quality(facts: Mapping[str, Any], kept: int) -> str:
    formats = [str(one.get("format", "")) for one in facts.get("files") or []]
    fasta = sum(name.startswith("fasta") for name in formats)
    if not fasta:
        return ""
    which = "The input is" if fasta == len(formats) else f"{count(fasta)} of {count(len(formats), 'file')} are"
    return f"{which} FASTA, without base qualities: reads of poor quality could not be told apart."


def _one_length(facts: Mapping[str, Any], kept: int) -> str:
    low, high = _number(facts, "length", "min"), _number(facts, "length", "max")
    if low is None or low != high or kept < 2:
        return ""
    return f"All reads are exactly {bases(low)} long, as short-read machines, trimming or simulation give."


def _same_names(facts: Mapping[str, Any], kept: int) -> str:
    twice = int(facts.get("duplicate_names") or 0)
    if not twice:
        return ""
    return (
        f"{count(twice, 'read name')} occur more than once: reads are told apart by file and place, but a table keyed "
        "by name is ambiguous for them."
    )


def _copies(facts: Mapping[str, Any], kept: int) -> str:
    copies = int(facts.get("duplicate_reads") or 0)
    if _share(copies, kept) < MANY_COPIES:
        return ""
    return (
        f"{percent(_share(copies, kept))} of the reads are copies of earlier ones ({count(copies)}): cluster sizes "
        "count copies, not molecules."
    )


WHY_DROPPED = {
    "too_short": "because they were too short",
    "low_quality": "because of low mean quality",
    "many_n": "because of too many unknown bases",
}
_READ_RULES = (
    _middling_length,
    _few_reads,
    _many_dropped,
    _low_quality,
    _empty_halves,
    _one_length,
    _no_quality,
    _same_names,
    _copies,
)


# ---- findings about clusters: (facts, clusters with reads, all reads) -> a sentence, or ''


def _ambiguous_pairs(facts: Mapping[str, Any], clusters: Sequence[Mapping[str, Any]], total: int) -> str:
    pairs = facts.get("pairs") or []
    threshold = facts.get("merge_threshold")
    if not pairs or threshold is None or len(clusters) < 2:
        return ""
    close = sum(float(one["kept_share"]) < float(threshold) + NEAR_THRESHOLD for one in pairs)
    every = len(clusters) * (len(clusters) - 1) // 2
    if not close:
        return ""
    if every == 1:
        return "The two clusters are hard to tell apart and may be one organism in two."
    return (
        f"{count(close)} of {count(every, 'pair')} of clusters {'is' if close == 1 else 'are'} hard to tell apart and "
        "may be one organism in two."
    )


def _strangers(facts: Mapping[str, Any], clusters: Sequence[Mapping[str, Any]], total: int) -> str:
    flagged = facts.get("flagged") or {}
    strange = int(flagged.get("unassigned") or 0) - int(flagged.get("no_kmers") or 0)
    if strange <= 0 or len(clusters) > 1 or _share(strange, total) >= MANY_UNASSIGNED:
        return ""
    return (
        f"{count(strange, 'read')} ({percent(_share(strange, total))}) are unlike the rest and were left unassigned: "
        "a rare organism, a plasmid, a phage or an island may be among them."
    )


def _unassigned(facts: Mapping[str, Any], clusters: Sequence[Mapping[str, Any]], total: int) -> str:
    lost = int((facts.get("flagged") or {}).get("unassigned") or 0)
    if _share(lost, total) < MANY_UNASSIGNED:
        return ""
    return f"{percent(_share(lost, total))} of the reads ({count(lost)}) fit no cluster and were left unassigned."


def _weak_clusters(facts: Mapping[str, Any], clusters: Sequence[Mapping[str, Any]], total: int) -> str:
    weak = [
        int(one["cluster"])
        for one in clusters
        if one.get("halves_agree") is not None and float(one["halves_agree"]) < FAIR_AGREEMENT
    ]
    if not weak or len(clusters) < 2:
        return ""
    return (
        f"In {_clusters(weak)} less than {percent(FAIR_AGREEMENT)} of the reads have both halves in the cluster: "
        "treat with care."
    )


def _small_clusters(facts: Mapping[str, Any], clusters: Sequence[Mapping[str, Any]], total: int) -> str:
    small = [int(one["cluster"]) for one in clusters if int(one["reads"]) < SMALL_CLUSTER_READS]
    if not small or len(clusters) < 2:
        return ""
    return f"{_clusters(small).capitalize()} {'has' if len(small) == 1 else 'have'} under {SMALL_CLUSTER_READS} reads."


def _chimeras(facts: Mapping[str, Any], clusters: Sequence[Mapping[str, Any]], total: int) -> str:
    suspects = int((facts.get("flagged") or {}).get("chimera_suspect") or 0)
    if not suspects or len(clusters) < 2:
        return ""
    what = "a chimera" if suspects == 1 else "chimeras"
    return (
        f"{count(suspects, 'read')} ({percent(_share(suspects, total))}) may be {what}: "
        "each half sits well inside a different cluster."
    )


def _little_in_all(facts: Mapping[str, Any], clusters: Sequence[Mapping[str, Any]], total: int) -> str:
    bp, span = sum(int(one["bp"]) for one in clusters), _gc_span(clusters)
    if len(clusters) < 2 or bp >= ONE_GENOME_BP or span <= ONE_GENOME_GC:
        return ""
    return (
        f"The clusters hold {bases(bp)} together, less than one usual bacterial genome ({bases(ONE_GENOME_BP)}); their "
        f"GC spans {span * 100:.0f} points, more than stretches of one genome do."
    )


_CLUSTER_RULES = (_strangers, _unassigned, _little_in_all, _ambiguous_pairs, _weak_clusters, _small_clusters, _chimeras)


def _gc_span(clusters: Sequence[Mapping[str, Any]]) -> float:
    """Difference between the highest and the lowest GC share of the clusters; 0 where fewer than two are known."""
    known = [float(one["gc"]) for one in clusters if one.get("gc") is not None]
    return max(known) - min(known) if known else 0.0


def _clusters(numbers: Sequence[int]) -> str:
    """`cluster 3`, `clusters 3 and 5`, `clusters 1, 2, 3 and 9 more`."""
    if len(numbers) == 1:
        return f"cluster {numbers[0]}"
    if len(numbers) > 6:
        return f"clusters {', '.join(map(str, numbers[:5]))} and {len(numbers) - 5} more"
    return f"clusters {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"


def _number(facts: Mapping[str, Any], group: str, key: str) -> float | None:
    value = (facts.get(group) or {}).get(key)
    return None if value is None else float(value)


def _share(part: float | None, whole: float) -> float:
    return float(part or 0) / whole if whole else 0.0
