"""The facts of a product of reads: what went in, what was dropped, what remains, and what to beware of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from isthmus.core.plan import FileInput, Plan
from isthmus.prepare.parts import Receipt, Task, read_keys, read_rows
from isthmus.prepare.sniff import Kind
from isthmus.prepare.table import Tally

_SUMS = ("records_in", "records_out", "bases_in", "bases_out")

Parts = Sequence[Sequence[Receipt]]


def tally(tasks: Sequence[Task], parts: Parts) -> Tally:
    """Sums over the rows of all finished parts; holds one part, and 16 bytes per read."""
    sums = Tally()
    for task, receipts in zip(tasks, parts, strict=True):
        hashes = []
        for receipt in receipts:
            rows, _ = read_rows(task, receipt)
            sums.add(rows, read_keys(task, receipt))
            hashes.append(rows["hash"].copy())
        sums.add_names(hashes)
    return sums


def facts(plan: Plan, kinds: Sequence[Kind], parts: Parts, sums: Tally) -> dict[str, Any]:
    """What is told of a product, apart from how the work went."""
    inputs = cast("Sequence[FileInput]", plan.inputs)
    files = [_file_facts(*three) for three in zip(inputs, kinds, parts, strict=True)]
    receipts = [one for some in parts for one in some]
    found: dict[str, Any] = {
        "files": files,
        **{key: sum(one[key] for one in files) for key in _SUMS},
        "dropped": _dropped(receipts),
        "length": sums.lengths(),
        "quality": {"median": sums.median_quality()},
        "flagged": {"no_kmers": sums.no_kmers, "half_empty": sums.half_empty},
        "duplicate_names": sums.duplicate_names,
        "duplicate_reads": sums.duplicate_reads(),
        "cpu_seconds": round(sum(one.cpu_seconds for one in receipts), 4),
    }
    return {**found, "warnings": _warnings(plan, kinds, found)}


def _warnings(plan: Plan, kinds: Sequence[Kind], found: Mapping[str, Any]) -> list[str]:
    warnings = [text for kind in kinds for text in kind.warnings]
    if found["duplicate_names"]:
        warnings.append(
            f"{found['duplicate_names']:,} read(s) repeat the name of an earlier read of their file; "
            "the columns source and record tell them apart"
        )
    if 2 * found["duplicate_reads"] > found["records_out"]:
        warnings.append(
            f"{found['duplicate_reads']:,} of {found['records_out']:,} reads are copies of an earlier read "
            "(same length, same profile): from one amplicon, from PCR, or given twice; they say nothing about how many "
            "organisms there are"
        )
    if cast("float", plan.params["min_mean_quality"]) > 0 and any(one["format"] == "fasta" for one in found["files"]):
        warnings.append("FASTA has no qualities: the filter by mean quality let all of its reads pass")
    return warnings


def _dropped(receipts: Sequence[Receipt]) -> dict[str, int]:
    names = ("too_short", "low_quality", "many_n")
    return {name: sum(one.dropped[i] for one in receipts) for i, name in enumerate(names)}


def _file_facts(one: FileInput, kind: Kind, receipts: Sequence[Receipt]) -> dict[str, Any]:
    return {
        "source": one.source,
        "sample": one.sample,
        "format": kind.format,
        "compression": kind.compression,
        "bytes": one.size,
        "text_bytes": one.size if kind.compression == "plain" else receipts[-1].text_end,
        "records_in": sum(r.records for r in receipts),
        "records_out": sum(r.rows for r in receipts),
        "bases_in": sum(r.bases_in for r in receipts),
        "bases_out": sum(r.bases_out for r in receipts),
        "dropped": _dropped(receipts),
    }
