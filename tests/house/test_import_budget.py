"""Start-up is counted in modules loaded: the same number on every machine, unlike seconds."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = {"numpy", "pyarrow", "deltalake", "sklearn", "jinja2", "mpi4py", "xxhash", "isal", "numba", "multiprocessing"}
MEASURE = "; import sys, json; print(json.dumps(sorted(sys.modules)))"


def loaded_by(code: str) -> set[str]:
    done = subprocess.run([sys.executable, "-I", "-c", code + MEASURE], capture_output=True, text=True, check=True)
    modules: list[str] = json.loads(done.stdout.splitlines()[-1])
    return set(modules)


@pytest.fixture(scope="module")
def baseline() -> set[str]:
    """What a bare interpreter of this environment loads, editable-install hooks included."""
    return loaded_by("pass")


def test_import_isthmus_loads_next_to_nothing(baseline: set[str]) -> None:
    """The package's own `__init__` is empty."""
    assert loaded_by("import isthmus") - baseline == {"isthmus"}


def test_help_loads_no_heavy_library(baseline: set[str]) -> None:
    """`isthmus --help` answers before anything big is imported."""
    code = "from isthmus.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\nprint()"

    extra = loaded_by(code) - baseline

    assert not {name.partition(".")[0] for name in extra} & HEAVY
    assert len(extra) <= 110, sorted(extra)


def test_a_rank_program_starts_light(baseline: set[str]) -> None:
    """A rank loads standard library, numpy, mpi4py, core, kernels and arrays, and no catalog."""
    extra = loaded_by("from mpi4py import MPI, run; import isthmus.simulate.programs.kmeans") - baseline

    tops = {name.partition(".")[0] for name in extra}
    assert not tops & (HEAVY - {"numpy", "mpi4py", "multiprocessing"})
    assert {name for name in extra if name.startswith(("isthmus.prepare", "isthmus.report"))} == set()
    assert len(extra) <= 230, sorted(extra)


def test_a_prepare_worker_starts_light(baseline: set[str]) -> None:
    """A spawned worker of phase 1 needs no catalog."""
    extra = loaded_by("import isthmus.prepare.worker") - baseline

    assert not {name.partition(".")[0] for name in extra} & {"pyarrow", "deltalake", "sklearn", "jinja2", "mpi4py"}
    assert len(extra) <= 260, sorted(extra)
