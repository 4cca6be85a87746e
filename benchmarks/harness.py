"""Fair timing: candidates in turn (A B A B ...), medians with min and max, wall and CPU seconds, the machine named."""

from __future__ import annotations

import os
import platform
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Timing:
    """Wall and CPU seconds (children that were waited for included) of every counted run."""

    wall_s: tuple[float, ...]
    cpu_s: tuple[float, ...]

    @property
    def median_s(self) -> float:
        return statistics.median(self.wall_s)

    @property
    def median_cpu_s(self) -> float:
        return statistics.median(self.cpu_s)


def in_turn(candidates: Mapping[str, Callable[[], object]], *, runs: int = 5, warmup: int = 1) -> dict[str, Timing]:
    """Time each candidate `runs` times, in turn, after `warmup` rounds that are not counted."""
    wall: dict[str, list[float]] = {name: [] for name in candidates}
    cpu: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(warmup + runs):
        for name, act in candidates.items():
            cpu_before, began = _cpu_s(), time.perf_counter()
            act()
            if turn >= warmup:
                wall[name].append(time.perf_counter() - began)
                cpu[name].append(_cpu_s() - cpu_before)
    return {name: Timing(tuple(wall[name]), tuple(cpu[name])) for name in candidates}


def _cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def show(title: str, timings: Mapping[str, Timing], amount: float, unit: str) -> None:
    """Print a table of rates: `amount` `unit` of work were done in each run."""
    print(f"\n{title}  [{machine()}]")
    print(f"{'':38}{unit + '/s':>12}{'min':>10}{'max':>10}{'wall s':>9}{'CPU s':>9}{'per CPU s':>12}")
    for name, timing in timings.items():
        rates = [amount / one for one in timing.wall_s]
        print(
            f"{name:38}{statistics.median(rates):12.3f}{min(rates):10.3f}{max(rates):10.3f}{timing.median_s:9.3f}"
            f"{timing.median_cpu_s:9.3f}{amount / max(timing.median_cpu_s, 1e-9):12.3f}"
        )


def ratio(timings: Mapping[str, Timing], ours: str, peer: str) -> float:
    """How many times faster `ours` is than `peer`: median over pairs of runs."""
    pairs = zip(timings[ours].wall_s, timings[peer].wall_s, strict=True)
    return statistics.median(theirs / mine for mine, theirs in pairs)


def verdict(what: str, found: float, target: float, *, unit: str = "x") -> bool:
    """Print whether a target was met."""
    met = found >= target
    print(f"{'met   ' if met else 'MISSED'} {what}: {found:.2f}{unit} (target {target:g}{unit})")
    return met


def machine() -> str:
    """Processor, cores usable, Python."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}"
