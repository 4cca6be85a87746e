"""Geometry of charts and map: round ticks, nothing outside its canvas, the same picture for the same data."""

from __future__ import annotations

import numpy as np
import pytest

from isthmus.report import charts, read_map


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [(0, 10, [0, 2, 4, 6, 8, 10]), (22, 71, [30, 40, 50, 60, 70]), (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (5, 5, [5])],
)
def test_linear_ticks_are_round_and_inside(low: float, high: float, ticks: list[float]) -> None:
    """Steps of 1, 2 or 5 times a power of ten."""
    assert charts.linear_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize("low", [1, 50, 140, 811, 2_000])
@pytest.mark.parametrize("factor", [1.2, 2, 7, 80, 5_000, 1e6])
def test_log_ticks_are_few_and_inside(low: float, factor: float) -> None:
    """Between one and six ticks within the axis, rising, whatever its span."""
    ticks = charts.log_ticks(low, low * factor)

    assert 1 <= len(ticks) <= 6
    assert sorted(set(ticks)) == ticks
    assert all(low * 0.998 <= tick <= low * factor * 1.002 for tick in ticks)


def test_bars_are_as_high_as_their_counts_and_stay_on_the_canvas() -> None:
    """Counts 4, 0, 8: two bars, the second twice as high, full height of the canvas between its margins."""
    edges = np.array([0.0, 1.0, 2.0, 3.0])
    chart = charts.histogram(
        np.array([4, 0, 8]),
        edges,
        name="n",
        axis="a",
        x_ticks=[(0, "0"), (3, "3")],
        marks=[(99, "far")],
        titles=["x", "y", "z"],
        summary="",
    )

    small, tall = chart.bars
    assert tall.h == pytest.approx(charts.HEIGHT - charts.TOP - charts.BOTTOM)
    assert small.h == pytest.approx(tall.h / 2)
    assert (small.title, tall.title) == ("x", "z")
    assert all(bar.x >= charts.LEFT and bar.x + bar.w <= charts.WIDTH - charts.RIGHT for bar in chart.bars)
    assert chart.marks[0].at == charts.WIDTH - charts.RIGHT


def test_a_line_leaves_out_what_is_unknown() -> None:
    """None and NaN are no points; a line of nothing is no line."""
    line = charts.line("n", 0, [0, 0.5, 1], [1.0, None, float("nan")], ["a", "b", "c"])

    assert line is not None
    assert [title for _, _, title in line.points] == ["a"]
    assert charts.line("n", 0, [0.0], [None], ["a"]) is None


@pytest.mark.parametrize(("n", "text"), [(0, "0"), (950, "950"), (12_000, "12k"), (2_500_000, "2.5M")])
def test_counts_on_axes_are_short(n: int, text: str) -> None:
    """An axis has no room for seven digits."""
    assert charts.short_count(n) == text


def test_tints_rise_with_the_share_and_nothing_is_blank() -> None:
    """Five tints; exactly nothing has none."""
    assert [charts.level(v, 1.0) for v in (0, 0.01, 0.3, 0.5, 0.99, 1)] == [-1, 0, 1, 2, 4, 4]


def test_the_sample_is_fair_and_small_clusters_are_seen() -> None:
    """Of 100,000 reads some 2,000 are drawn: of a cluster of 5 all, of one of 30 at least 12, the rest by size."""
    of_row = np.repeat([0, 1, 2, 3, -1], [60_000, 39_000, 30, 5, 965]).astype(np.int32)

    rows = read_map.choose(of_row)

    drawn = {c: int(np.count_nonzero(of_row[rows] == c)) for c in (0, 1, 2, 3, -1)}
    assert read_map.MOST_READS - 10 <= len(rows) <= read_map.MOST_READS
    assert drawn[3] == 5
    assert drawn[2] >= 12
    assert drawn[0] / drawn[1] == pytest.approx(60 / 39, rel=0.03)
    assert np.array_equal(rows, np.unique(rows))
    assert np.array_equal(rows, read_map.choose(of_row))


@pytest.mark.parametrize("n", [0, 1, 2, 4, 5, 40])
@pytest.mark.parametrize("kind", ["different", "equal", "one column"])
def test_any_number_of_reads_has_a_place_on_the_map(n: int, kind: str) -> None:
    """Few reads, equal reads, one dimension: finite places within the unit square."""
    rng = np.random.default_rng(3)
    points = rng.normal(size=(n, 1 if kind == "one column" else 6)).astype(np.float32)
    points = np.ones_like(points) if kind == "equal" else points

    places = read_map.lay_out(points)

    assert places.shape == (n, 2)
    assert np.isfinite(places).all()
    assert (places >= -1e-9).all()
    assert (places <= 1 + 1e-9).all()


def test_groups_that_lie_apart_stay_apart_on_the_map_and_the_map_repeats() -> None:
    """Two far groups: each point's nearest neighbour on the map is of its own group; a second map is the same."""
    rng = np.random.default_rng(4)
    group = np.repeat([0, 1], 60)
    points = rng.normal(0, 0.1, (120, 5)) + group[:, None] * 3

    places = read_map.lay_out(points)

    distance = np.linalg.norm(places[:, None] - places[None], axis=2) + np.eye(120) * 9
    assert np.array_equal(group[distance.argmin(axis=1)], group)
    assert np.array_equal(places, read_map.lay_out(points))


def test_labels_stand_on_a_read_of_their_cluster() -> None:
    """A cluster shaped like a ring has its label on the ring, not in the hole that others may fill."""
    angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)

    centre = read_map.centres(np.vstack([ring, [[0, 0]]]), np.array([0] * 12 + [1], np.int32))

    assert any(np.allclose(centre[0], point) for point in ring)
    assert centre[1] == (0, 0)
    assert read_map.centres(ring, np.full(12, -1, np.int32)) == {}
