"""A disk that takes no more: WontFit, and the lake as before."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SMALL_FILES = """
import dataclasses, resource, sys
from pathlib import Path
from isthmus.backbone.lake import Lake
from isthmus.core.errors import WontFit
from isthmus.core.ref import Name
from isthmus.testing.changes import small_change

lake = Lake.open(sys.argv[1])
name = Name("gut", "reads")
lake.commit(small_change(lake, name, 1))
shards = small_change(lake, name, 2, rows=3000)  # its shards are written; rows and commit are to fail
before = {path: path.stat().st_size for path in lake.root.rglob("*")}
limit = resource.getrlimit(resource.RLIMIT_FSIZE)[1]


def refused(change, at):
    resource.setrlimit(resource.RLIMIT_FSIZE, (at, limit))
    try:
        lake.commit(change)
    except WontFit as error:
        assert "no space left" in str(error) and "nothing was committed" in str(error), error
    else:
        raise SystemExit("it fitted")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    assert {path: path.stat().st_size for path in lake.root.rglob("*")} == before, "files were left"
    assert lake.newest(name).version == 1


refused(shards, 2_000)  # the Parquet file is larger
small = small_change(lake, name, 3)
before = {path: path.stat().st_size for path in lake.root.rglob("*")}
refused(dataclasses.replace(small, batches=list(small.batches), facts={"x": "y" * 200_000}), 100_000)
assert lake.commit(small_change(lake, name, 2, rows=3000)) == name.at(2)
assert lake.verify(name.at(2)) > 0
print("as before")
"""

FULL = """
import shutil, sys
from pathlib import Path
from isthmus.backbone.lake import Lake
from isthmus.core.errors import WontFit
from isthmus.core.ref import Name
from isthmus.testing.changes import small_change

root = Path(sys.argv[1])
lake = Lake.open(root / "lake")
name = Name("gut", "reads")
lake.commit(small_change(lake, name, 0))
ballast = root / "ballast"
refused = 0
for seed in range(1, 400):
    free = shutil.disk_usage(root).free
    if refused == 0 and free > 300_000:
        with ballast.open("ab") as handle:
            handle.write(b"x" * (free - 300_000))
    before = lake.newest(name)
    try:
        ref = lake.commit(small_change(lake, name, seed, rows=400))
    except WontFit:
        refused += 1
        assert lake.newest(name) == before
        assert lake.verify(before) > 0
        if refused == 12:
            break
assert refused == 12, refused
ballast.unlink()
assert lake.commit(small_change(lake, name, 9999, rows=400)).version == before.version + 1
for version in range(1, before.version + 2):
    lake.verify(name.at(version))
print("as before", before.version)
"""


def test_files_that_may_not_grow(tmp_path: Path) -> None:
    """With a limit on file size, rows and the commit itself each end in WontFit; later the same plan commits."""
    done = subprocess.run(
        [sys.executable, "-c", SMALL_FILES, str(tmp_path / "lake")], capture_output=True, text=True, check=False
    )

    assert done.stdout == "as before\n", done.stderr[-3000:]


def test_disk_that_is_full(tmp_path: Path) -> None:
    """On a disk of 4 MB that fills up, every refused commit leaves the lake whole, and room makes it go on."""
    if shutil.which("unshare") is None:
        pytest.skip("needs util-linux' unshare to mount a small disk without root")
    inner = f'mount -t tmpfs -o size=4m none "{tmp_path}" && exec "$@"'
    argv = ["unshare", "--mount", "--user", "--map-root-user", "sh", "-c", inner, "sh", sys.executable]
    probe = subprocess.run([*argv, "-c", "print('mounted')"], capture_output=True, text=True, check=False)
    if probe.stdout != "mounted\n":
        pytest.skip(f"this machine lets nobody mount a small disk: {probe.stderr.strip()}")

    done = subprocess.run([*argv, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False)

    assert done.stdout.startswith("as before"), done.stderr[-3000:]
