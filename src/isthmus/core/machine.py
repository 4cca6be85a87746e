"""What this process may use: cores and memory, as affinity, cgroups and Slurm allow."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def usable_cpus() -> int:
    """Cores that this process may use: the least of affinity, cgroup quota and SLURM_CPUS_PER_TASK; at least 1."""
    limits = [_affinity()]
    quota = _cgroup_cpus()
    if quota is not None:
        limits.append(quota)
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if slurm.isdigit() and int(slurm) > 0:
        limits.append(int(slurm))
    return max(1, min(limits))


def usable_memory_bytes() -> int:
    """Memory that this process may use: the least of what is available, the cgroup's and Slurm's limit, in bytes."""
    limits = [_available_memory()]
    limits += [
        limit for limit in map(_read_limit, _cgroup_files("memory.max", "memory/memory.limit_in_bytes")) if limit
    ]
    slurm = os.environ.get("SLURM_MEM_PER_NODE", "")
    if slurm.isdigit() and int(slurm) > 0:
        limits.append(int(slurm) << 20)
    return min(limits)


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cgroup_cpus() -> int | None:
    shares = []
    for path in _cgroup_files("cpu.max", "cpu/cpu.cfs_quota_us"):
        try:
            words = path.read_text().split()
            if path.name == "cpu.max":
                quota, period = words[0], words[1]
            else:
                quota, period = words[0], path.with_name("cpu.cfs_period_us").read_text().strip()
            if quota not in ("max", "-1"):
                shares.append(max(1, int(quota) // int(period)))
        except (OSError, ValueError, IndexError):
            continue
    return min(shares, default=None)


def _cgroup_files(v2: str, v1: str) -> list[Path]:
    """Limit files of this process's cgroup and of all its parents, those that exist."""
    found = [_CGROUP / v2, _CGROUP / v1]
    try:
        own = [line.rpartition(":")[2] for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        own = []
    for group in own:
        here = _CGROUP / group.lstrip("/")
        while here != _CGROUP and _CGROUP in here.parents:
            found.append(here / v2)
            here = here.parent
    return [path for path in found if path.is_file()]


def _read_limit(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
        return None if text == "max" else int(text)
    except (OSError, ValueError):
        return None


def _available_memory() -> int:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
