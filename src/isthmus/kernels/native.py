"""The compiled kernels: finds the library built for this processor and opens it.

`ISTHMUS_KERNELS=plain` asks for the slow plain implementations instead (same bytes, for tests and odd machines).
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
from pathlib import Path

_LIB = Path(__file__).parent / "lib"
# The flags of /proc/cpuinfo that make up the x86-64 levels of the psABI, best first.
_LEVELS = (
    ("x86_64_v4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx2", "bmi2", "fma"}),
    ("x86_64_v3", {"avx2", "bmi1", "bmi2", "fma", "f16c", "movbe"}),
    ("x86_64_v2", {"sse4_2", "ssse3", "popcnt"}),
)


@functools.cache
def library() -> ctypes.CDLL | None:
    """The library for this processor, or None where none was built or `ISTHMUS_KERNELS=plain`."""
    if os.environ.get("ISTHMUS_KERNELS") == "plain":
        return None
    for name in _candidates():
        path = _LIB / name
        if path.is_file():
            return ctypes.CDLL(str(path))
    return None


def describe() -> str:
    """Which implementation is in use, for `doctor` and reports."""
    found = library()
    return "plain Python" if found is None else Path(found._name).stem


def _candidates() -> list[str]:
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return ["isthmus_generic.so"]
    flags = _cpu_flags()
    return [f"isthmus_{level}.so" for level, needs in _LEVELS if needs <= flags]


def _cpu_flags() -> set[str]:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("flags"):
                return set(line.partition(":")[2].split())
    except OSError:
        pass
    return set(_LEVELS[-1][1])  # macOS on Intel: every supported machine has these
