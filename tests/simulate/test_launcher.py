"""The launcher in the environment of other launchers and batch systems: phase 2 starts its own ranks all the same."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from isthmus.core.progress import Silent
from isthmus.core.ref import Name
from isthmus.simulate import simulation
from isthmus.simulate.local import LocalScheduler, check_mpi, clean_environment

sys.path.insert(0, str(Path(__file__).parent))
from conftest import blobs

LEFT_BEHIND = {
    "PBS_NODEFILE": "/nope",
    "PBS_JOBID": "17",
    "PBS_ENVIRONMENT": "PBS_BATCH",
    "PE_HOSTFILE": "/nope",
    "SGE_ROOT": "/nope",
    "LSB_HOSTS": "nope1 nope2",
    "LSB_MCPU_HOSTS": "nope1 2",
    "LSF_ENVDIR": "/nope",
    "LOADL_HOSTFILE": "/nope",
    "COBALT_NODEFILE": "/nope",
    "FLUX_JOB_ID": "f1",
    "PALS_RANKID": "3",
    "PMI_RANK": "3",
    "PMI_SIZE": "9",
    "PMI_FD": "77",
    "PMIX_NAMESPACE": "x",
    "OMPI_COMM_WORLD_SIZE": "9",
    "HYDRA_HOST_FILE": "/nope",
    "SLURM_JOB_NODELIST": "nope[1-9]",
    "MPIR_CVAR_CH4_NETMOD": "nope",
    "MPICH_VERSION_DISPLAY": "nope",
    "I_MPI_HYDRA_HOST_FILE": "/nope",
    "MPI4PY_RC_INITIALIZE": "false",
    "UCX_TLS": "nope",
    "FI_PROVIDER": "nope",
}


@pytest.mark.parametrize("name", ["PBS_NODEFILE", "COBALT_NODEFILE", "MPIR_CVAR_CH4_NETMOD", "UCX_TLS", "all of them"])
def test_ranks_start_in_any_batch_environment(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Two real ranks find each other with a scheduler's variables set that point to nothing."""
    for one, value in LEFT_BEHIND.items() if name == "all of them" else [(name, LEFT_BEHIND[name])]:
        monkeypatch.setenv(one, value)

    assert check_mpi().endswith("2 ranks")


def test_the_environment_of_a_job_keeps_everything_else() -> None:
    """What other launchers left is gone, by name; paths, threads and names that only look alike stay."""
    kept = {"PATH": "/bin", "HOME": "/h", "OMP_NUM_THREADS": "1", "PE": "x", "LSBX": "y", "FIX": "z", "MPI_HOME": "/m"}

    assert clean_environment({**LEFT_BEHIND, **kept}) == kept


@pytest.mark.parametrize("name", ["PBS_NODEFILE", "all of them"])
def test_a_job_runs_in_any_batch_environment(make_reads, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The launch of phase 2 itself, not only the check-up, leaves a scheduler's variables aside."""
    for one, value in LEFT_BEHIND.items() if name == "all of them" else [(name, LEFT_BEHIND[name])]:
        monkeypatch.setenv(one, value)
    x, halves, _ = blobs(2000, 8, 3, seed=5)
    lake, ref = make_reads(x, halves)
    plan = simulation.make_plan("kmeans", ref, lake, into=Name.parse("gut.clusters"), params={"k": 3, "starts": 1})

    made = simulation.simulate(plan, lake, LocalScheduler(), ranks=2, progress=Silent())

    assert lake.read(made).commit.rows == 2000
