"""The page in a real browser: nothing overflows, nothing is fetched, nothing fails, and everybody can read it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from isthmus.report.page import write_report

# WCAG 2.2: contrast of every piece of text with what lies behind it, translucent layers composed.
CONTRAST = """
(() => {
  const parse = text => { const m = text.match(/[\\d.]+/g).map(Number); return m.length > 3 ? m : [...m, 1]; };
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] + under[i] * (1 - top[3]));
  const luminance = rgb => {
    const [r, g, b] = rgb.map(c => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const bad = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || ["SCRIPT", "STYLE", "title", "desc"].includes(element.tagName)) continue;
    if (!element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const ink = parse(element instanceof SVGElement ? style.fill : style.color);
    const back = behind(element);
    const [a, b] = [luminance(over(ink, back)), luminance(back)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) bad.push([element.tagName, element.textContent.trim().slice(0, 30), ratio.toFixed(2)]);
  }
  return bad;
})()
"""

WIDER_THAN_PAGE = """
[...document.querySelectorAll("body *")].filter(e => !e.closest(".scroll") && !e.closest("svg") &&
  e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && e.getClientRects().length)
  .map(e => e.tagName + "." + e.className).slice(0, 5)
"""

CASES: dict[str, dict[str, Any]] = {
    "usual": {},
    "large": {
        "sizes": [60 - i // 2 for i in range(64)],
        "sources": [f"a-rather-long-folder/with/run-{i:04d}_barcode.fastq.gz" for i in range(60)],
        "samples": [f"sample-{i}" for i in range(20)],
        "label": "Candidatus-Verylongnamensis-exemplaris-strain-",
    },
    "short": {"sizes": [150, 80], "mean_length": 150, "one_length": True},
    "one": {"sizes": [1], "unassigned": 0, "fasta": True},
}


@pytest.fixture(scope="module", params=list(CASES))
def page(
    request: pytest.FixtureRequest, make_products_in: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("page")
    made = make_products_in(folder / "lake", **CASES[request.param])
    to = folder / "report.html"
    command = "isthmus run " + "reads/a-very-long-name-without-a-blank-" * 4 + ".fastq.gz --lake lake --to report.html"
    write_report(made.lake, made.clusters, to=to, truth=made.write_truth(folder / "truth.tsv"), command=command)
    return to


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_page_is_whole_quiet_and_readable(browser: Any, page: Path, width: int, dark: bool) -> None:
    """At phone and desktop width, light and dark: no overflow, no request, no message, contrast of 4.5 or more."""
    browser.open(page, width=width, dark=dark)

    requests = [one["request"]["url"] for one in browser.said("Network.requestWillBeSent")]
    assert requests == [page.as_uri()]
    assert browser.said("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled") == []
    assert browser.run("document.documentElement.clientWidth") == width
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run(WIDER_THAN_PAGE) == []
    assert browser.run(CONTRAST) == []
    # a column squeezed to one letter a line shows as a very tall row
    assert (
        browser.run("Math.max(...[...document.querySelectorAll('tr')].map(r => r.getBoundingClientRect().height))")
        < 130
    )


def test_page_can_be_read_without_seeing_it(browser: Any, page: Path) -> None:
    """Tables have captions and scopes, pictures have names, ids are unique, headings skip no level."""
    browser.open(page, width=1280)

    assert browser.run("[...document.querySelectorAll('table')].filter(t => !t.caption).length") == 0
    assert browser.run("[...document.querySelectorAll('th')].filter(t => !t.scope).length") == 0
    assert (
        browser.run(
            "[...document.querySelectorAll('svg')].filter(s => s.getAttribute('aria-hidden') !== 'true' &&"
            " !s.getAttribute('aria-label') && !document.getElementById(s.getAttribute('aria-labelledby'))).length"
        )
        == 0
    )
    assert (
        browser.run("(ids => ids.length - new Set(ids).size)([...document.querySelectorAll('[id]')].map(e => e.id))")
        == 0
    )
    levels = browser.run("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert browser.run("[...document.querySelectorAll('a')].every(a => document.querySelector(a.getAttribute('href')))")


def test_touching_a_read_names_it_and_a_legend_entry_shows_its_cluster_alone(
    browser: Any, make_products: Callable[..., Any], tmp_path: Path
) -> None:
    """The page's own script runs under its policy: a touched point is named, a pressed cluster stands out."""
    made = make_products()
    write_report(made.lake, made.clusters, to=tmp_path / "report.html")
    browser.open(tmp_path / "report.html", width=390)

    browser.run("document.querySelector('.map use').dispatchEvent(new MouseEvent('click', {bubbles: true}))")
    browser.run("document.querySelector('.legend button[data-cluster=\"1\"]').click()")

    assert " kb · " in browser.run("document.getElementById('map-readout').textContent").replace("\u00a0", " ")
    bright = "[...document.querySelectorAll('.map g')].filter(g => getComputedStyle(g).opacity === '1')"
    assert browser.run(f"{bright}.map(g => g.dataset.cluster)") == ["1"]


def test_names_of_users_never_run(browser: Any, make_products: Callable[..., Any], tmp_path: Path) -> None:
    """Script in names of reads, files, samples and labels, in warnings and in the command stays text."""
    attack = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    made = make_products(
        prefix=attack,
        label=attack + "'\"`{{7*7}}",
        sources=(attack, "b.fastq"),
        samples=("</style>" + attack, "two"),
        reads_facts={"warnings": ["</script>" + attack]},
        facts={"job_folder": attack},
    )
    to = tmp_path / "report.html"
    write_report(
        made.lake, made.clusters, to=to, truth=made.write_truth(tmp_path / "t.tsv"), command="x</pre>" + attack
    )

    browser.open(to, width=1280)

    assert browser.run("document.title") == "gut.clusters@1 – isthmus report"
    assert browser.run("document.querySelectorAll('img').length") == 0
    assert browser.run("document.querySelectorAll('script').length") == 1
    assert "{{7*7}}" in browser.run("document.body.textContent")
    assert [one["request"]["url"] for one in browser.said("Network.requestWillBeSent")] == [to.as_uri()]
