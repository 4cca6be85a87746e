"""What examples/ shows works as it stands."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def mock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """examples/ beside demo/input, as after `make demo`, with few reads."""
    folder = tmp_path_factory.mktemp("mock")
    shutil.copytree(ROOT / "examples", folder / "examples")
    words = ["--out", str(folder / "demo" / "input"), "--reads", "300", "--seed", "3"]
    subprocess.run([sys.executable, "-m", "isthmus.testing.community", *words], check=True, capture_output=True)
    return folder


def test_the_pipeline_file_runs(mock: Path) -> None:
    """Both phases and the page, from the file alone."""
    words = ["run", "examples/pipeline.toml", "-q"]

    done = subprocess.run(
        [sys.executable, "-m", "isthmus", *words], cwd=mock, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "mock.clusters@1" in done.stdout
    assert (mock / "demo" / "pipeline-report.html").is_file()


def test_the_python_example_runs(mock: Path) -> None:
    """It prints one line for each cluster."""
    words = [str(mock / "examples" / "from_python.py"), str(mock / "demo/input/reads.fastq.gz")]

    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "gut.reads@1 -> gut.clusters@1" in done.stdout
    assert "cluster 0: " in done.stdout
