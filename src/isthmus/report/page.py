"""The report's door: one self-contained HTML file about one product of clusters, with its verdict first."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from isthmus.backbone.lake import Lake
from isthmus.backbone.support import Verdict, what_clusters_support, what_reads_support
from isthmus.core import units
from isthmus.core.errors import InvalidInput
from isthmus.core.files import human_bytes, write_then_rename
from isthmus.core.ref import Ref
from isthmus.report import charts, cluster_sections, input_sections, palette, record_sections, truth_sections, words
from isthmus.report.survey import Survey, survey


def write_report(
    lake: Lake,
    clusters: Ref,
    *,
    to: Path,
    truth: Path | None = None,
    command: str = "",
    seconds: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Write the page about `clusters` to the file `to`, whole or not at all.

    The same product gives the same page but for `command` and `seconds`. Holds some 8 bytes a read (28 with a truth).

    Args:    truth:   tab-separated file with columns `id` and `label`; read names as in the input.
             command: what to type to do it again, shown as given.
             seconds: wall seconds by stage of the run that calls.
    Returns: `{"verdict": {ok, headline, findings}, "scores": {...} | None, "path": str}`; scores that are not defined
             are None.
    Raises:  InvalidInput: not a product of clusters, `to` is a folder, a truth file that does not fit these reads;
             NotFound; Corrupt; WontFit on a full disk. `to` is then as before.
    """
    if to.is_dir():
        raise InvalidInput(f"{to} is a folder; give the path of a file, as in {to / 'report.html'}")
    found = survey(lake, clusters, truth)
    verdict = _with_truth(what_clusters_support(found.reads_facts, found.facts), found)
    page = render(
        found,
        verdict,
        command=command,
        seconds=seconds or {},
        history=record_sections.lineage(lake, clusters),
        lake=str(lake.root),
    )
    write_then_rename(to, page.encode("utf-8", "replace"))
    return {
        "verdict": {"ok": verdict.ok, "headline": verdict.headline, "findings": list(verdict.findings)},
        "scores": None if found.known is None else _without_nan(found.known.scores.as_json()),
        "path": str(to),
    }


def render(
    found: Survey,
    verdict: Verdict,
    *,
    command: str,
    seconds: Mapping[str, float],
    history: list[dict[str, Any]],
    lake: str = "isthmus-lake",
) -> str:
    """The whole page as text; pure."""
    environment = _environment()
    style, script = _asset(environment, "page.css"), _asset(environment, "page.js")
    return environment.get_template("page.html.j2").render(
        style=Markup(style),  # noqa: S704  our own file, no user's text in it
        script=Markup(script),  # noqa: S704
        policy=content_policy(style, script),
        ref=str(found.commit.ref),
        commit=found.commit,
        reads_commit=found.reads_commit,
        verdict=verdict,
        reads_verdict=what_reads_support(found.reads_facts),
        tiles=cluster_sections.tiles(found),
        files=input_sections.files(found),
        cleaning=input_sections.cleaning(found),
        distributions=input_sections.distributions(found),
        map=cluster_sections.read_map(found),
        clusters=cluster_sections.clusters(found),
        composition=cluster_sections.composition(found),
        pairs=cluster_sections.pairs(found),
        confidence=cluster_sections.confidence(found),
        flags=cluster_sections.flags(found),
        abundance=cluster_sections.abundance(found),
        truth=truth_sections.truth(found),
        record=record_sections.record(found, command=command, seconds=seconds, lake=lake),
        lineage=history,
    )


def _with_truth(verdict: Verdict, found: Survey) -> Verdict:
    """The verdict with what the truth says of it, so that praise does not stand beside it without a word."""
    if found.known is None:
        return verdict
    scores = _without_nan(found.known.scores.as_json())
    ari = "" if scores["ari"] is None else f", adjusted Rand index {scores['ari']:.3f}"
    told = (
        f"Against the truth: {scores['genomes_recovered']} of {units.count(scores['labels'], 'genome')} recovered{ari}."
    )
    return replace(verdict, findings=(told, *verdict.findings))


def content_policy(style: str, script: str) -> str:
    """A Content-Security-Policy under which the page may use its own style and script and load nothing at all."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; base-uri 'none'; "
        "form-action 'none'"
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _asset(environment: Environment, name: str) -> str:
    assert environment.loader is not None  # noqa: S101  set three lines below
    return environment.loader.get_source(environment, name)[0].strip()


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("isthmus.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.loopcontrols"],
    )
    environment.filters.update(
        count=units.count,
        bases=_or_dash(units.bases),
        percent=units.percent_aligned,
        duration=units.duration,
        bytes=human_bytes,
        shown=words.shown,
        value=words.value,
    )
    environment.globals.update(
        mark=cluster_sections.marks,
        shapes=[*enumerate(palette.SHAPES)],
        no_cluster=palette.NO_CLUSTER,
        canvas=charts,
    )
    return environment


def _or_dash(form: Any) -> Any:
    def formed(n: float | None) -> str:
        return "–" if n is None or math.isnan(n) else str(form(n))

    return formed


def _without_nan(what: Any) -> Any:
    if isinstance(what, dict):
        return {key: _without_nan(one) for key, one in what.items()}
    if isinstance(what, list | tuple):
        return [_without_nan(one) for one in what]
    return None if isinstance(what, float) and math.isnan(what) else what
