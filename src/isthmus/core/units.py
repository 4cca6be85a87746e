"""Numbers with their units, written the one way that reports, verdicts and the command line share."""

from __future__ import annotations

# A number and its unit stay on one line.
NARROW = "\u00a0"


def count(n: float, one: str = "", many: str = "") -> str:
    """A whole number with thousands marked, and its noun: `count(1200, "read")` -> '1,200 reads'."""
    number = f"{int(n):,}"
    if not one:
        return number
    return f"{number}{NARROW}{one if int(n) == 1 else many or one + 's'}"


def bases(n: float) -> str:
    """A length in bases: 950 -> '950 bp', 8123 -> '8.12 kb', 2.5e6 -> '2.50 Mb'."""
    for unit, size in (("Gb", 1e9), ("Mb", 1e6), ("kb", 1e3)):
        # 999.6 kb would be written 1000 kb: it belongs to the next unit.
        if n >= size * 0.9995:
            return f"{_three_digits(n / size)}{NARROW}{unit}"
    return f"{n:.0f}{NARROW}bp"


def percent(share: float | None) -> str:
    """A share of 1 in per cent; never 0 or 100 unless it is: 0.0002 -> '< 0.1 %', 0.5 -> '50 %'."""
    return percent_aligned(share).replace(f".0{NARROW}%", f"{NARROW}%")


def percent_aligned(share: float | None) -> str:
    """As `percent`, always with one decimal but for 0 and 100 themselves, so that numbers in a column align."""
    if share is None or share != share:
        return "–"
    if 0 < share < 0.0005:
        return f"<{NARROW}0.1{NARROW}%"
    if 0.9995 <= share < 1:
        return f">{NARROW}99.9{NARROW}%"
    if share in (0, 1):
        return f"{share * 100:.0f}{NARROW}%"
    return f"{share * 100:.1f}{NARROW}%"


def duration(seconds: float) -> str:
    """Wall time: 0.0123 -> '12 ms', 3.21 -> '3.2 s', 125 -> '2 min 5 s', 7384 -> '2 h 3 min'."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}{NARROW}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}{NARROW}s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}{NARROW}min {whole % 60}{NARROW}s"
    return f"{whole // 3600}{NARROW}h {whole % 3600 // 60}{NARROW}min"


def _three_digits(x: float) -> str:
    """At least three significant digits, no exponent: 1.2345 -> '1.23', 12.345 -> '12.3', 1234.5 -> '1,234'."""
    if x < 9.995:
        return f"{x:.2f}"
    return f"{x:.1f}" if x < 99.95 else f"{x:,.0f}"
