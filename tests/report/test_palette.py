"""Marks of clusters stay apart for colour-blind readers and never depend on colour alone."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

from isthmus.report import page
from isthmus.report.palette import DARK, LIGHT, SHAPES, mark_of

# Machado, Oliveira & Fernandes (2009), severity 1.0: linear RGB as seen with one kind of cone missing.
SEEN_BY = {
    "everybody": np.eye(3),
    "protanopes": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopes": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopes": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
# CIE 1976 difference in L*a*b*; about 2.3 is just noticeable, 10 is told apart at a glance.
APART = 10.0


def linear(colour: str) -> np.ndarray:
    rgb = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ rgb.clip(0, 1) / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def closest(colours: tuple[str, ...], who: str) -> float:
    seen = [lab(SEEN_BY[who] @ linear(colour)) for colour in colours]
    return min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(seen, 2))


@pytest.mark.parametrize("who", SEEN_BY)
@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_colours_stay_apart_for_every_kind_of_eye(colours: tuple[str, ...], who: str) -> None:
    """Any two of the eight colours differ by more than a glance needs, with each kind of cone missing."""
    assert closest(colours, who) > APART


def test_the_simulation_sees_a_bad_palette() -> None:
    """Red and green of equal lightness, well apart for most, fall together for deuteranopes: the test can fail."""
    bad = ("#c8503c", "#8a7a28")

    assert closest(bad, "everybody") > 30
    assert closest(bad, "deuteranopes") < APART


def test_64_clusters_have_64_marks_and_neighbours_differ_twice() -> None:
    """Colour and shape together name the first 64 clusters; the first eight differ in both."""
    marks = [mark_of(i) for i in range(64)]

    assert len({(m.colour, m.shape) for m in marks}) == 64
    assert all(a.colour != b.colour and a.shape != b.shape for a, b in itertools.combinations(marks[:8], 2))
    assert mark_of(-1) not in marks
    assert mark_of(64) == mark_of(0)


def test_the_style_sheet_has_these_colours() -> None:
    """The palette that is tested is the palette that is drawn, in the light and in the dark block."""
    style = (Path(page.__file__).parent / "templates" / "page.css").read_text()
    drawn = re.findall(r"--c(\d): (#[0-9a-f]{6})", style)

    assert drawn == [(str(i), colour) for palette in (LIGHT, DARK) for i, colour in enumerate(palette)]
    assert len(SHAPES) == len(LIGHT)
