"""What can be typed: every verb and option; imports nothing heavy, so that help is quick."""

from __future__ import annotations

import argparse
from typing import NoReturn

from isthmus.core.version import VERSION

_ABOUT = """\
From raw reads to labelled clusters, and to a report that a person can use.

  isthmus run reads/*.fastq.gz            both phases and a report
  isthmus run pipeline.toml               the same from a file
  isthmus export default.clusters --bins --to bins/
"""
_CODES = """\
exit codes: 0 done, 2 invalid input, 3 not found, 4 conflict, 5 not installed, 6 will not fit, 7 unavailable,
8 job failed, 9 corrupt, 70 bug, 130 interrupted (the same command again goes on)."""


class _Parser(argparse.ArgumentParser):
    """Says how to name a file that begins with a dash, where that may be what went wrong."""

    def error(self, message: str) -> NoReturn:
        if "required" in message or "unrecognized" in message:
            message += " (a file whose name begins with '-' is written ./-name)"
        super().error(message)


def build_parser() -> argparse.ArgumentParser:
    """The whole command line; imports nothing heavy, so that help is quick."""
    parser = _Parser(
        prog="isthmus", description=_ABOUT, epilog=_CODES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"isthmus {VERSION}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    common, acting = _common(), _acting()
    _add_run(verbs, [common, acting])
    _add_steps(verbs, [common, acting])
    _add_looks(verbs, [common])
    return parser


def _common() -> _Parser:
    common = _Parser(add_help=False)
    group = common.add_argument_group("everywhere")
    group.add_argument("--lake", metavar="FOLDER", help="the data lake (default: ./isthmus-lake, or ISTHMUS_LAKE)")
    group.add_argument("--scratch", metavar="FOLDER", help="where jobs run (default: inside the lake)")
    group.add_argument("--json", action="store_true", help="print one JSON object for machines")
    group.add_argument("-v", "--verbose", action="store_true", help="show the whole trace of an error")
    return common


def _acting() -> _Parser:
    acting = _Parser(add_help=False)
    group = acting.add_argument_group("how it works")
    group.add_argument(
        "--dry-run", action="store_true", help="show the plan, projected rows, bytes, memory; do nothing"
    )
    group.add_argument(
        "--threads", metavar="N", help="cores to use (default: all that affinity, cgroup and Slurm allow)"
    )
    group.add_argument("--memory", metavar="SIZE", help="memory to use, as in 4G (default: 80 %% of what is available)")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress")
    return acting


def _add_run(verbs: argparse._SubParsersAction[_Parser], parents: list[_Parser]) -> None:
    run = verbs.add_parser("run", parents=parents, help="both phases and a report, from reads or a pipeline file")
    run.add_argument("reads", nargs="+", metavar="READS", help="FASTQ or FASTA files, globs, '-', or one pipeline.toml")
    run.add_argument("--clusters", type=int, metavar="K", help="number of clusters, where you know it (default: found)")
    run.add_argument("--domain", default="default", help="domain of the products made (default: default)")
    _add_cleaning(run)
    run.add_argument(
        "--scale", choices=("auto", "self", "z", "unit", "none"), default="auto", help="scaling of profiles"
    )
    run.add_argument("--seed", type=int, default=1, help="seed of all random choices (default: 1)")
    run.add_argument("--ranks", type=int, metavar="P", help="MPI ranks (default: as many as cores)")
    run.add_argument("--truth", metavar="TSV", help="known origin of reads, columns id and label: adds scores")
    run.add_argument("--report", metavar="HTML", default="isthmus-report.html", help="(default: isthmus-report.html)")
    run.add_argument("--force", action="store_true", help="cluster even where the reads cannot support it")


def _add_cleaning(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--with", dest="with_", metavar="EMBEDDER", default="kernel:4", help="kernel:4 or kmer:3 .. kmer:6"
    )
    group = parser.add_argument_group("cleaning (off unless asked; what is dropped is counted)")
    group.add_argument("--min-length", type=int, default=0, metavar="BASES", help="drop shorter reads")
    group.add_argument(
        "--min-quality", type=float, default=0.0, metavar="PHRED", help="drop reads of lower mean quality"
    )
    group.add_argument(
        "--max-n", type=float, default=1.0, metavar="SHARE", help="drop reads with more ambiguous bases (0..1)"
    )


def _add_steps(verbs: argparse._SubParsersAction[_Parser], parents: list[_Parser]) -> None:
    embed = verbs.add_parser("embed", parents=parents, help="phase 1: reads to a product of vectors")
    embed.add_argument("sources", nargs="+", metavar="SOURCE", help="FASTQ or FASTA files, globs, or '-'")
    embed.add_argument("--into", metavar="PRODUCT", default="default.reads", help="(default: default.reads)")
    _add_cleaning(embed)
    simulate = verbs.add_parser("simulate", parents=parents, help="phase 2: run an MPI program on a product")
    simulate.add_argument("program", metavar="PROGRAM", help="kmeans")
    simulate.add_argument(
        "--from", dest="source", metavar="REF", default="default.reads", help="(default: default.reads)"
    )
    simulate.add_argument("--into", metavar="PRODUCT", default="default.clusters", help="(default: default.clusters)")
    simulate.add_argument("--on", metavar="SCHEDULER", default="local", help="(default: local)")
    simulate.add_argument("--ranks", type=int, metavar="P", help="MPI ranks (default: as many as cores)")
    simulate.add_argument("--set", dest="params", action="append", default=[], metavar="KEY=VALUE", help="as in k=12")
    report = verbs.add_parser("report", parents=parents, help="write the page of a product of clusters")
    report.add_argument("ref", metavar="REF")
    report.add_argument("--to", metavar="HTML", default="isthmus-report.html", help="(default: isthmus-report.html)")
    report.add_argument("--truth", metavar="TSV", help="known origin of reads, columns id and label: adds scores")


def _add_looks(verbs: argparse._SubParsersAction[_Parser], parents: list[_Parser]) -> None:
    verbs.add_parser("ls", parents=parents, help="products of the lake")
    for verb, words in (
        ("show", "one version: where it came from, its columns, its first rows"),
        ("log", "all versions of a product"),
        ("lineage", "what a version was made from, back to the raw files"),
    ):
        look = verbs.add_parser(verb, parents=parents, help=words)
        look.add_argument("ref", metavar="REF")
    export = verbs.add_parser(
        "export", parents=parents, help="write a version as csv, parquet, npy, or as bins of reads"
    )
    export.add_argument("ref", metavar="REF")
    export.add_argument("--to", required=True, metavar="PATH")
    form = export.add_mutually_exclusive_group()
    form.add_argument("--format", choices=("csv", "parquet", "npy"), help="(default: by the ending of PATH, else csv)")
    form.add_argument("--bins", action="store_true", help="the original records, one file per cluster, in folder PATH")
    export.add_argument("--dry-run", action="store_true", help="say what would be written where; do nothing")
    export.add_argument("--truth", metavar="TSV", help="adds the column truth (csv and parquet)")
    export.add_argument("-q", "--quiet", action="store_true", help="no progress")
    doctor = verbs.add_parser("doctor", parents=parents, help="check settings, machine, MPI and every stored byte")
    doctor.add_argument("--threads", help=argparse.SUPPRESS)
    doctor.add_argument("--memory", help=argparse.SUPPRESS)
