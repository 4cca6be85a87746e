"""Requests and scripts: what ranks are told, and how they are started."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.core.errors import InvalidInput
from isthmus.simulate.local import clean_environment, find_mpiexec
from isthmus.simulate.request import (
    BLOCK_ROWS,
    ArrayInput,
    Request,
    RowRange,
    ShardFile,
    rank_borders,
    read_request,
    write_request,
)
from isthmus.simulate.script import ONE_THREAD, render_script

GOLDEN = """#!/bin/sh
set -eu
cd '/scratch/it'"'"'s here/jobs/ab/1.0'
export MPI4PY_RC_THREADS=false
export OMP_NUM_THREADS=1
exec '/opt/my env/bin/python' -m isthmus.simulate.wrapper '/scratch/it'"'"'s here/jobs/ab/1.0' -- \\
  /opt/mpich/bin/mpiexec -launcher fork -n 4 \\
  '/opt/my env/bin/python' -m mpi4py -m isthmus.simulate.programs.kmeans '/scratch/it'"'"'s here/jobs/ab/1.0'
"""


@given(rows=st.integers(0, 200_000), ranks=st.integers(1, 40))
def test_rank_borders_fall_on_blocks_and_cover_all_rows_once(rows, ranks):
    """Ranges follow each other, begin on whole blocks, and are as even as blocks allow."""
    borders = rank_borders(rows, ranks)

    assert len(borders) == ranks
    assert sum(one.rows for one in borders) == rows
    at = 0
    for one in borders:
        assert one.first_row == at
        assert one.first_row % BLOCK_ROWS == 0 or one.rows == 0
        at += one.rows
    blocks = [-(-one.rows // BLOCK_ROWS) for one in borders]
    assert max(blocks) - min(blocks) <= 1


def test_a_request_is_read_as_it_was_written(tmp_path):
    """Every field survives the file; the format is named in it."""
    array = ArrayInput("gut.reads@3", "<f4", 103, 9, (ShardFile("/a/b.npy", 9, "00"),), (RowRange(0, 9),))
    request = Request("kmeans", "abc", 1, 0, 1, {"k": None, "seed": 1}, {"x": array}, {"flags": "in/flags.npy"})

    write_request(tmp_path, request)

    assert read_request(tmp_path) == request
    assert json.loads((tmp_path / "request.json").read_text())["format"] == "isthmus-request/1"


@pytest.mark.parametrize("content", ['{"format": "isthmus-request/2"}', "[]", '{"format": "isthmus-request/1"}'])
def test_another_format_is_refused(tmp_path, content):
    """A request of another version, or one that lacks keys, is not guessed at."""
    (tmp_path / "request.json").write_text(content)

    with pytest.raises(InvalidInput, match="prepare the job again"):
        read_request(tmp_path)


def test_the_script_is_as_it_should_be():
    """The rendered script, to the letter, with a blank and a quote in its paths."""
    folder = Path("/scratch/it's here/jobs/ab/1.0")
    program = ["/opt/my env/bin/python", "-m", "mpi4py", "-m", "isthmus.simulate.programs.kmeans", str(folder)]

    text = render_script(
        folder,
        python="/opt/my env/bin/python",
        launcher=["/opt/mpich/bin/mpiexec", "-launcher", "fork", "-n", "4"],
        program=program,
        environment={"OMP_NUM_THREADS": "1", "MPI4PY_RC_THREADS": "false"},
    )

    assert text == GOLDEN


@given(words=st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), max_size=4))
def test_the_shell_gets_every_word_as_it_was(words):
    """Whatever a path holds, the shell splits the command into the same words."""
    text = render_script(Path("/scratch/job"), python="python", launcher=["true"], program=words, environment={})

    command = text.partition("exec ")[2].replace("\\\n", "")
    assert shlex.split(command) == ["python", "-m", "isthmus.simulate.wrapper", "/scratch/job", "--", "true", *words]


def test_the_environment_of_other_launchers_is_left_behind():
    """Inside a batch job mpiexec would otherwise take its hosts from there."""
    given_ = {"SLURM_JOB_ID": "7", "PMI_RANK": "0", "PMIX_ID": "1", "HYDRA_X": "1", "OMPI_Y": "2", "PATH": "/bin"}

    assert clean_environment(given_) == {"PATH": "/bin"}


def test_the_wheels_mpiexec_is_found_and_ranks_have_one_thread():
    """The absolute path of the installed distribution's launcher; OpenBLAS and OpenMP with one thread."""
    found = find_mpiexec()

    done = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    assert found.is_absolute()
    assert "HYDRA" in done.stdout
    assert {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"} <= set(ONE_THREAD)
    assert set(ONE_THREAD.values()) == {"1"}


def test_a_rank_opens_no_catalog(tmp_path):
    """The modules that a rank loads to run, not only to start: no pyarrow, deltalake, xxhash, scikit-learn."""
    code = (
        "import sys; from pathlib import Path; import isthmus.simulate.programs.kmeans, numpy.random;"
        "print([m for m in ('pyarrow', 'deltalake', 'xxhash', 'sklearn', 'numba') if m in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
