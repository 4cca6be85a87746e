"""The scheduler `local`: the mpiexec of the mpich wheel, on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from isthmus.core import shell
from isthmus.core.errors import JobFailed, NotInstalled
from isthmus.core.files import write_then_rename
from isthmus.core.job import Job, JobState
from isthmus.simulate.scheduler import Observed
from isthmus.simulate.script import FILE_NAME, ONE_THREAD, render_script

INSTALL_LINE = "pip install mpich mpi4py"
LAUNCHER_LOG = "launcher.log"
_FOREIGN = (  # what batch systems, launchers, other MPIs and their networks put into an environment
    *("SLURM_", "SBATCH_", "SRUN_", "PBS_", "PE_HOSTFILE", "SGE_", "LSB_", "LSF_", "LS_JOBPID", "LOADL_", "COBALT_"),
    *("FLUX_", "PALS_", "ALPS_", "OAR_", "PMI_", "PMIX_", "PRTE_", "HYDRA_", "HYDI_", "MPIEXEC_", "MPI_LOCAL"),
    *("OMPI_", "OPAL_", "I_MPI_", "MPICH_", "MPIR_", "MV2_", "MPI4PY_", "UCX_", "FI_", "PSM2_", "PSM3_"),
)
_LAUNCH = ("-rmk", "user", "-launcher", "fork")  # this machine and no other: no batch system is asked for hosts
_GRACE_S = 6.0


class LocalScheduler:
    """Runs each job as one tree of processes of its own, which ends with the driver. See `Scheduler` for promises.

    Args: mpiexec: its absolute path; found from the installed wheel where it is None.
    """

    def __init__(self, *, mpiexec: Path | None = None) -> None:
        self._mpiexec = mpiexec
        self._running: dict[Path, subprocess.Popen[bytes]] = {}

    def submit(self, job: Job, program: Sequence[str], *, ranks: int) -> Job:
        """Write script.sh and start it; output of the launcher goes to launcher.log."""
        mpiexec = self._mpiexec or find_mpiexec()
        text = render_script(
            job.folder,
            python=sys.executable,
            launcher=[str(mpiexec), *_LAUNCH, "-n", str(ranks)],
            program=[sys.executable, *program, str(job.folder)],
            environment={**ONE_THREAD, "MPI4PY_RC_THREADS": "false"},
        )
        script = job.folder / FILE_NAME
        write_then_rename(script, text)
        with (job.folder / LAUNCHER_LOG).open("ab") as log:
            self._running[job.folder] = subprocess.Popen(
                ["/bin/sh", str(script)],
                cwd=job.folder,
                env=clean_environment(os.environ),
                stdin=subprocess.PIPE,  # the lifeline: see isthmus.simulate.wrapper
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return job.move(JobState.RUNNING)

    def poll(self, job: Job) -> Observed:
        """RUNNING, or DONE or FAILED with the exit code; unknown for a job that another process started."""
        process = self._running.get(job.folder)
        if process is None:
            return Observed(None)
        code = process.poll()
        if code is None:
            return Observed(JobState.RUNNING)
        return Observed(JobState.DONE if code == 0 else JobState.FAILED, code)

    def cancel(self, job: Job) -> None:
        """End the job: its wrapper stops launcher and ranks and writes exit.json; killed where it does not."""
        process = self._running.pop(job.folder, None)
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            os.killpg(
                process.pid, signal.SIGKILL
            )  # the launcher is bound to the wrapper's life, ranks to the launcher's
            process.wait()


def clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without what other launchers left there.

    mpiexec would take its hosts from a batch job's, and ranks their network from settings for another MPI; ranks of
    one machine need neither.
    """
    return {name: value for name, value in environ.items() if not name.startswith(_FOREIGN)}


def find_mpiexec() -> Path:
    """The mpiexec that the installed mpich distribution put on disk. Raises NotInstalled with the install line."""
    for candidate in (*_listed(), Path(sys.executable).with_name("mpiexec")):
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    raise NotInstalled(f"phase 2 needs mpiexec of the mpich wheel, and it is not installed: {INSTALL_LINE}")


def _listed() -> list[Path]:
    try:
        files = metadata.files("mpich") or []
    except metadata.PackageNotFoundError:
        return []
    return [Path(str(file.locate())).resolve() for file in files if file.name == "mpiexec"]


def check_mpi() -> str:
    """Start two ranks that add up what they are, and name the MPI library. Raises NotInstalled or JobFailed."""
    code = (
        "from mpi4py import MPI; world = MPI.COMM_WORLD; assert world.allreduce(world.rank + 1) == 3; "
        "print(MPI.Get_library_version().splitlines()[0].strip()) if world.rank == 0 else None"
    )
    argv = [str(find_mpiexec()), *_LAUNCH, "-n", "2", sys.executable, "-m", "mpi4py", "-c", code]
    done = shell.run(argv, timeout_s=60, env={**clean_environment(os.environ), **dict(ONE_THREAD)})
    if done.code != 0:
        raise JobFailed(f"two MPI ranks could not be started: {done.stderr.strip()[-500:]}; reinstall: {INSTALL_LINE}")
    return " ".join(done.stdout.split()) + ", 2 ranks"
