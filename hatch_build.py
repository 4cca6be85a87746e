"""Build hook: compiles `src/isthmus/kernels/*.c` into one small library per instruction set."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOM = Path(__file__).parent / "src" / "isthmus" / "kernels"
# -ffp-contract=off and no -ffast-math: the same bits from every compiler and instruction set.
FLAGS = ["-std=c11", "-O3", "-shared", "-fPIC", "-ffp-contract=off", "-fno-math-errno", "-Wall"]
LEVELS = ("x86_64_v2", "x86_64_v3", "x86_64_v4")


def compiler() -> list[str] | None:
    """The C compiler: $CC, then cc, gcc or clang on PATH, then zig from the package `ziglang`."""
    named = os.environ.get("CC")
    for word in ([named] if named else []) + ["cc", "gcc", "clang"]:
        if shutil.which(word):
            return [word]
    try:
        import ziglang  # noqa: F401
    except ImportError:
        return None
    return [sys.executable, "-m", "ziglang", "cc"]


def targets(cc: list[str]) -> dict[str, list[str]]:
    """Library name -> extra flags, for this machine's processor family."""
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return {"isthmus_generic.so": []}
    zig = "ziglang" in cc
    return {
        f"isthmus_{level}.so": [
            f"-mcpu={level}" if zig else f"-march={level.replace('_v', '-v').replace('x86_64', 'x86-64')}"
        ]
        for level in LEVELS
    }


class KernelHook(BuildHookInterface):  # type: ignore[type-arg]
    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """The compiler wheel, only where the machine has no compiler of its own."""
        return [] if compiler() else ["ziglang==0.17.1"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        cc = compiler()
        if cc is None or self.target_name == "sdist":
            return
        out = ROOM / "lib"
        out.mkdir(exist_ok=True)
        sources = sorted(str(path) for path in ROOM.glob("*.c"))
        for name, extra in targets(cc).items():
            fresh = out / f".{name}.{os.getpid()}"
            subprocess.run([*cc, *FLAGS, *extra, "-o", str(fresh), *sources, "-lm"], check=True)
            fresh.replace(out / name)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"
        build_data["artifacts"].append("src/isthmus/kernels/lib/*.so")
