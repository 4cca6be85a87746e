"""The whole command on a disk that is really full: one error, exit 6, the lake as before; with room it goes on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Fills a small disk to ever less, runs, and says how each run ended; then gives it room and runs once more.
SCRIPT = """
set -u
reads=$1 disk=$2 python=$3
for free_kb in 60 300 700 900 1000; do
    rm -rf "$disk"/lake
    mount -o remount,size=${free_kb}k "$disk"
    "$python" -m isthmus run "$reads" --lake "$disk/lake" --report "$disk/r.html" -q >/dev/null 2>"$4"; code=$?
    shown=$("$python" -m isthmus ls --lake "$disk/lake" --json 2>/dev/null | tr -d ' \\n')
    echo "$code|$shown|$(tail -1 "$4")"
done
mount -o remount,size=64m "$disk"
"$python" -m isthmus run "$reads" --lake "$disk/lake" --report "$disk/r.html" --json 2>/dev/null | tr -d '\\n'
"""


def test_a_disk_that_fills_up_at_any_point(community: Path, tmp_path: Path) -> None:
    """Too small from the start or full in the middle: WontFit says what to do, and nothing half-made is listed."""
    if shutil.which("unshare") is None:
        pytest.skip("needs util-linux' unshare to mount a small disk without root")
    disk, reads = tmp_path / "disk", tmp_path / "reads.fastq.gz"
    disk.mkdir()
    shutil.copy(community / "reads.fastq.gz", reads)
    inner = f'mount -t tmpfs -o size=64m none "{disk}" && exec "$@"'
    argv = ["unshare", "--mount", "--user", "--map-root-user", "sh", "-c", inner, "sh"]
    probe = subprocess.run([*argv, "echo", "mounted"], capture_output=True, text=True, check=False)
    if probe.stdout != "mounted\n":
        pytest.skip(f"this machine lets nobody mount a small disk: {probe.stderr.strip()}")

    words = ["sh", "-c", SCRIPT, "sh", str(reads), str(disk), sys.executable, str(tmp_path / "err")]
    done = subprocess.run([*argv, *words], capture_output=True, text=True, check=False, cwd=tmp_path)

    *runs, last = done.stdout.splitlines()
    codes = [line.split("|")[0] for line in runs]
    assert len(runs) == 5, done.stderr
    assert codes[:3] == ["6", "6", "6"]
    for line in runs:
        code, shown, message = line.split("|", 2)
        assert code in ("0", "6"), line
        if code == "6":
            assert "free" in message
            assert "--lake" in message
            assert "default.clusters" not in shown
    assert json.loads(last)["products"] == {"reads": "default.reads@1", "clusters": "default.clusters@1"}
