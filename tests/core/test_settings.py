"""Settings: the order of their places, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from isthmus.core import machine, settings
from isthmus.core.errors import InvalidInput

NO_FLAGS: dict[str, str | None] = {}


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_flag_beats_environment_beats_project_file_beats_user_file(tmp_path: Path) -> None:
    """Each layer hides the ones below it."""
    project, home = tmp_path / "project", tmp_path / "home"
    write(project / "isthmus.toml", '[lake]\nuri = "from-project"\n')
    write(home / ".config/isthmus/isthmus.toml", '[lake]\nuri = "/from-user"\nscratch = "/user-scratch"\n')
    (project / "deep").mkdir()

    by_flag = settings.load({"lake": "f"}, {"ISTHMUS_LAKE": "e"}, project / "deep", home)
    by_environment = settings.load(NO_FLAGS, {"ISTHMUS_LAKE": "e"}, project / "deep", home)
    by_project = settings.load(NO_FLAGS, {}, project / "deep", home)
    by_user = settings.load(NO_FLAGS, {}, tmp_path, home)

    assert [one.lake for one in (by_flag, by_environment, by_project, by_user)] == [
        "f",
        "e",
        str(project / "from-project"),
        "/from-user",
    ]
    assert by_project.scratch == Path("/user-scratch")
    assert by_project.origins[0].origin == str(project / "isthmus.toml")


def test_an_unknown_key_is_refused_with_the_nearest(tmp_path: Path) -> None:
    """A typing error in a settings file is not silently ignored."""
    write(tmp_path / "isthmus.toml", '[lake]\nurl = "x"\n')

    with pytest.raises(InvalidInput, match=r"\[lake\].*unknown key 'url'; did you mean 'uri'"):
        settings.load(NO_FLAGS, {}, tmp_path, tmp_path / "home")


@pytest.mark.parametrize(
    ("text", "size"), [("4G", 4 << 30), ("512 MiB", 512 << 20), ("1.5k", 1536), ("100", 100), ("2tb", 2 << 40)]
)
def test_sizes_are_read_in_powers_of_1024(tmp_path: Path, text: str, size: int) -> None:
    """`--memory` takes the usual spellings."""
    assert settings.load({"memory": text}, {}, tmp_path, tmp_path).mem_bytes == size


@pytest.mark.parametrize(
    "flags", [{"memory": "much"}, {"memory": "-1G"}, {"memory": "0"}, {"threads": "0"}, {"threads": "two"}]
)
def test_a_value_that_is_no_number_is_refused(tmp_path: Path, flags: dict[str, str | None]) -> None:
    """The error names the value and its origin."""
    with pytest.raises(InvalidInput, match="command line"):
        settings.load(flags, {}, tmp_path, tmp_path)


def test_cores_respect_affinity_and_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two usable cores and SLURM_CPUS_PER_TASK=1 make one."""
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "1")
    assert machine.usable_cpus() == 1
    monkeypatch.delenv("SLURM_CPUS_PER_TASK")
    assert 1 <= machine.usable_cpus() <= len(os.sched_getaffinity(0))


def test_cores_and_memory_respect_the_cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quota of 150 % of a core is one core; memory.max bounds memory."""
    write(tmp_path / "cpu.max", "150000 100000\n")
    write(tmp_path / "memory.max", "1048576\n")
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)

    assert machine.usable_cpus() == 1
    assert machine.usable_memory_bytes() == 1 << 20
