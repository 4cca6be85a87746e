"""Geometry of the charts: numbers in, places on a small canvas out; the templates draw them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

# Canvas of a histogram and of the curve, in SVG units; the page scales them to the column they stand in.
WIDTH, HEIGHT = 360.0, 210.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 10.0, 32.0, 36.0


@dataclass(frozen=True)
class Tick:
    """One tick: where it is on the canvas, and its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Bar:
    """One bar: its box on the canvas, and what it says on hover."""

    x: float
    y: float
    w: float
    h: float
    title: str


@dataclass(frozen=True)
class Histogram:
    """A histogram on the canvas WIDTH x HEIGHT."""

    name: str
    axis: str
    bars: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    marks: tuple[Tick, ...]
    summary: str


@dataclass(frozen=True)
class Line:
    """One line of the curve: its points as an SVG path, and its markers with what they say on hover."""

    name: str
    key: int
    path: str
    points: tuple[tuple[float, float, str], ...]


def nice_step(span: float, most: int) -> float:
    """The smallest of 1, 2, 5 x 10^n that cuts `span` into at most `most` pieces."""
    raw = span / most
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * m for m in (1, 2, 5, 10) if power * m >= raw * (1 - 1e-9))


def linear_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers within [low, high]."""
    if high <= low:
        return [low]
    step = nice_step(high - low, most)
    first = math.ceil(low / step - 1e-9)
    return [step * i for i in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Powers of ten within [low, high], with their doubles and fives where there is room; both ends where none fits."""
    found: list[float] = []
    for parts in ((1,), (1, 3), (1, 2, 5)):
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        values = [m * 10.0**p for p in powers for m in parts]
        found = [v for v in values if low * 0.999 <= v <= high * 1.001]
        if parts == (1,) and len(found) > most:
            return found[:: math.ceil(len(found) / most)]
        if 2 <= len(found) <= most and (parts != (1,) or len(found) >= 3):
            return found
    if len(found) >= 2:
        return found[:: math.ceil(len(found) / most)]
    return linear_ticks(low, high, most - 1)


def histogram(
    counts: Ints,
    edges: Floats,
    *,
    name: str,
    axis: str,
    x_ticks: Sequence[tuple[float, str]],
    marks: Sequence[tuple[float, str]],
    titles: Sequence[str],
    summary: str,
) -> Histogram:
    """Draw (B,) counts between (B + 1,) rising edges; ticks and marks are in the units of the edges."""
    low, high = float(edges[0]), float(edges[-1])
    top = max(1, int(counts.max(initial=1)))
    y_values = [v for v in linear_ticks(0, top, 4) if v == int(v)]

    def x(value: float) -> float:
        return LEFT + (value - low) / ((high - low) or 1.0) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM)

    bars = tuple(
        Bar(x(edges[i]), y(n), max(0.5, x(edges[i + 1]) - x(edges[i]) - 0.6), HEIGHT - BOTTOM - y(n), titles[i])
        for i, n in enumerate(counts)
        if n
    )
    return Histogram(
        name=name,
        axis=axis,
        bars=bars,
        x_ticks=tuple(Tick(x(v), label) for v, label in x_ticks),
        y_ticks=tuple(Tick(y(v), short_count(v)) for v in y_values),
        marks=tuple(Tick(x(min(max(v, low), high)), label) for v, label in marks),
        summary=summary,
    )


def short_count(n: float) -> str:
    """A count for an axis: 950 -> '950', 12000 -> '12k', 2500000 -> '2.5M'."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if n >= size:
            return f"{n / size:.3g}{unit}"
    return f"{n:.0f}"


def line(name: str, key: int, xs: Sequence[float], ys: Sequence[float | None], titles: Sequence[str]) -> Line | None:
    """A line through (x, y) in [0, 1] x [0, 1] on the canvas; gaps where y is None; None where nothing is known."""
    known = [(_x01(x), _y01(y), t) for x, y, t in zip(xs, ys, titles, strict=True) if y is not None and y == y]
    if not known:
        return None
    path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in known)
    return Line(name, key, path, tuple(known))


def level(value: float, strongest: float) -> int:
    """0 to 4: how strongly a cell of a heat map is tinted; -1 for nothing at all."""
    return min(4, int(abs(value) / strongest * 5)) if value and strongest else -1


CURVE_WIDTH = 420.0
CURVE_RIGHT = 12.0


def _x01(x: float) -> float:
    return LEFT + x * (CURVE_WIDTH - LEFT - CURVE_RIGHT)


def _y01(y: float) -> float:
    return HEIGHT - BOTTOM - y * (HEIGHT - TOP - BOTTOM)


def unit_ticks() -> tuple[tuple[Tick, ...], tuple[Tick, ...]]:
    """Ticks of the curve: confidence on x, per cent on y."""
    xs = tuple(Tick(_x01(v), f"{v:g}") for v in (0, 0.2, 0.4, 0.6, 0.8, 1))
    ys = tuple(Tick(_y01(v), f"{v * 100:.0f} %") for v in (0, 0.25, 0.5, 0.75, 1))
    return xs, ys


RIDGE_WIDTH, RIDGE_HEIGHT = 240.0, 26.0


def ridge(counts: Ints, low: int, high: int) -> str:
    """An area path of counts[low:high] on RIDGE_WIDTH x RIDGE_HEIGHT, scaled to its own peak; '' where all are 0."""
    own = counts[low:high].astype(np.float64)
    if not own.any():
        return ""
    # a light smoothing (1 2 1), so that few reads do not look like a comb
    padded = np.pad(own, 1, mode="edge")
    smooth = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    xs = (np.arange(len(own)) + 0.5) / len(own) * RIDGE_WIDTH
    ys = RIDGE_HEIGHT - smooth / smooth.max() * (RIDGE_HEIGHT - 2)
    middle = "L".join(f"{x:.1f} {y:.1f}" for x, y in zip(xs, ys, strict=True))
    return f"M{xs[0]:.1f} {RIDGE_HEIGHT:.0f}L{middle}L{xs[-1]:.1f} {RIDGE_HEIGHT:.0f}z"
