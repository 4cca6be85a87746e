"""Files appear whole or not at all; errors keep their place and their exit code."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from isthmus.core import errors, files, shell
from isthmus.core.job import Job, JobState


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    """A reader sees the old content until the new one is complete."""
    target = tmp_path / "x.json"
    files.write_json(target, {"a": 1})

    with pytest.raises(ValueError, match="stop"):
        _write_half_and_fail(target)

    assert files.read_json(target) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def _write_half_and_fail(target: Path) -> None:
    with files.replacing(target) as handle:
        handle.write(b"half")
        raise ValueError("stop")


def test_a_full_disk_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    """A real write past a real limit ends in WontFit, with nothing left behind."""
    code = (
        "import resource, signal, pathlib, sys; from isthmus.core import files, errors\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: files.write_then_rename(pathlib.Path(sys.argv[1]), b'x' * 5000)\n"
        "except errors.WontFit as error: print(error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "big")], capture_output=True, text=True, check=True
    )

    assert "no space left" in done.stdout
    assert "--lake" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_every_error_class_has_the_exit_code_of_the_table() -> None:
    """Subclasses take their parent's code; what nobody foresaw is a bug."""
    assert errors.exit_code(errors.BadRecord("f", found="x", expected="y")) == 2
    assert errors.exit_code(errors.Corrupt("x")) == 9
    assert errors.exit_code(KeyboardInterrupt()) == 130
    assert errors.exit_code(ZeroDivisionError()) == 70


def test_a_bad_record_crosses_processes_whole() -> None:
    """Workers raise it, the driver shows it: pickling between our own processes keeps every field."""
    error = errors.BadRecord("a.fq", record=2, line=7, found="'B'", expected="'+'")

    again = pickle.loads(pickle.dumps(error))  # noqa: S301

    assert str(again) == str(error)
    assert (again.record, again.line) == (2, 7)
    assert "a.fq, record 2, line 7: found 'B'; expected '+'" in str(again)


def test_a_job_moves_only_as_the_table_allows(tmp_path: Path) -> None:
    """A finished job does not run again."""
    job = Job("p", 1, 0, tmp_path).move(JobState.RUNNING).move(JobState.DONE)

    with pytest.raises(errors.Bug, match="done may not become running"):
        job.move(JobState.RUNNING)


def test_running_a_program_gives_its_output_and_names_one_that_is_missing(tmp_path: Path) -> None:
    """Arguments go through as they are, with no shell between."""
    done = shell.run([sys.executable, "-c", "import sys; print(sys.argv[1]); sys.exit(3)", "$HOME; ls"], timeout_s=30)

    assert (done.code, done.stdout) == (3, "$HOME; ls\n")
    with pytest.raises(errors.NotInstalled, match="no-such-program"):
        shell.run(["no-such-program"], timeout_s=5)
