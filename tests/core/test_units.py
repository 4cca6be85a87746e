"""Numbers are written with a unit, and rounding never tells a lie at the ends."""

from __future__ import annotations

import pytest

from isthmus.core.units import bases, count, duration, percent, percent_aligned


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("n", "text"),
    [
        (0, "0 bp"),
        (1, "1 bp"),
        (999, "999 bp"),
        (1000, "1.00 kb"),
        (8123, "8.12 kb"),
        (99_960, "100 kb"),
        (999_600, "1.00 Mb"),
        (2.5e6, "2.50 Mb"),
        (3.25e9, "3.25 Gb"),
        (1234e9, "1,234 Gb"),
    ],
)
def test_lengths_change_unit_at_the_thousand(n: float, text: str) -> None:
    """A length has at least three digits and the unit that keeps it short."""
    assert plain(bases(n)) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.5, "50 %"),
        (0.1234, "12.3 %"),
        (0.00001, "< 0.1 %"),
        (0.99999, "> 99.9 %"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_only_nothing_is_0_and_only_everything_100_per_cent(share: float | None, text: str) -> None:
    """A share close to 0 or 1 is not rounded onto it; an unknown one is a dash."""
    assert plain(percent(share)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "12 ms"), (3.21, "3.2 s"), (59.97, "1 min 0 s"), (125, "2 min 5 s"), (7384, "2 h 3 min")],
)
def test_times_are_read_at_a_glance(seconds: float, text: str) -> None:
    """A time has the unit that a person would say."""
    assert plain(duration(seconds)) == text


def test_counts_agree_with_their_noun() -> None:
    """One read, two reads; a given plural is used."""
    assert [plain(count(n, "read")) for n in (0, 1, 2, 12345)] == ["0 reads", "1 read", "2 reads", "12,345 reads"]
    assert plain(count(2, "k-mer family", "k-mer families")) == "2 k-mer families"


def test_per_cents_in_a_column_have_one_decimal_each() -> None:
    """Half and a third align; nothing and everything stand out."""
    shown = [plain(percent_aligned(x)) for x in (0.5, 1 / 3, 0, 1, 1e-6)]

    assert shown == ["50.0 %", "33.3 %", "0 %", "100 %", "< 0.1 %"]
