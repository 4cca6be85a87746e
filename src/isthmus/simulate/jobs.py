"""Job folders: `<scratch>/jobs/<plan>/<attempt>.<restart>/`, claimed by making them, judged by what lies in them."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.backbone.place import make_folder
from isthmus.core.errors import Corrupt, IsthmusError, JobFailed
from isthmus.core.files import read_json
from isthmus.core.job import Job, JobState
from isthmus.simulate.scheduler import log_tail

RESULT = "result.json"
RESULT_FORMAT = "isthmus-result/1"
CHECKPOINT = "checkpoint.npz"
_ATTEMPT = re.compile(r"(\d+)\.(\d+)")
_READ_BYTES = 8 << 20


def claim(plan_folder: Path, plan: str) -> Job:
    """The next attempt at `plan`: its folder is made here, atomically, so that no other process has it too.

    Raises InvalidInput where scratch cannot be written to.
    """
    while True:
        attempt = 1 + max((job.attempt for job in attempts(plan_folder, plan)), default=0)
        job = Job(plan, attempt, 0, plan_folder / f"{attempt}.0")
        try:
            make_folder(job.folder, new=True)
        except FileExistsError:
            continue
        return job


def attempts(plan_folder: Path, plan: str) -> list[Job]:
    """All attempts at `plan` whose folders are there, newest first."""
    found = []
    for folder in plan_folder.glob("*.*") if plan_folder.is_dir() else []:
        match = _ATTEMPT.fullmatch(folder.name)
        if match and folder.is_dir():
            found.append(Job(plan, int(match[1]), int(match[2]), folder, JobState.PREPARED))
    return sorted(found, key=lambda job: (job.attempt, job.restart), reverse=True)


def finished(plan_folder: Path, plan: str) -> Job | None:
    """The newest attempt that has a result whose every byte is there, or None."""
    for job in attempts(plan_folder, plan):
        if (job.folder / RESULT).is_file():
            try:
                read_result(job)
            except IsthmusError:
                continue
            return job
    return None


def read_result(job: Job) -> dict[str, Any]:
    """result.json of a job, every output checked: shape, size and checksums. Raises NotFound or Corrupt."""
    path = job.folder / RESULT
    result = read_json(path)
    if not isinstance(result, dict) or result.get("format") != RESULT_FORMAT or result.get("plan") != job.plan:
        raise Corrupt(f"{path}: found no result of plan {job.plan}; run the same command again")
    for output in result["outputs"].values():
        for file in output["files"]:
            _check(job.folder / file["path"], file, output)
    return result


def open_output(folder: Path, path: str) -> npt.NDArray[Any]:
    """One `.npy` output by memory map."""
    array: npt.NDArray[Any] = np.load(folder / path, mmap_mode="r", allow_pickle=False)
    return array


def failure(job: Job, program: str, code: int | None, launcher_log: str) -> IsthmusError:
    """What went wrong, as the first rank to fail wrote it down; else the exit code and the end of the log.

    Damaged input is Corrupt, whoever finds it; all else is JobFailed.
    """
    records = [read_json(path) for path in sorted(job.folder.glob("error-rank-*.json"))]
    if records:
        first = min(records, key=lambda record: (record["when"], record["rank"]))
        log = job.folder / f"rank-{first['rank']:04d}.log"
        kind = Corrupt if first["type"] == Corrupt.__name__ else JobFailed
        return kind(
            f"{program} failed: rank {first['rank']} on {first['host']}: {first['type']}: {first['message']}; "
            f"log: {log}"
        )
    log = job.folder / launcher_log
    killed = " (killed, perhaps for want of memory)" if code in (9, 137) else ""
    tail = log_tail(log)
    return JobFailed(
        f"{program} ended with exit code {code}{killed} and no result; log: {log}" + (f"\n{tail}" if tail else "")
    )


def _check(path: Path, file: Mapping[str, Any], output: Mapping[str, Any]) -> None:
    """Raise Corrupt unless the file has its rows and each rank's part has the bytes that the rank wrote."""
    try:
        array = open_output(path.parent, path.name)
    except (OSError, ValueError) as error:
        raise Corrupt(f"{path}: found {error}; expected an output of the job; run the same command again") from error
    want = (file["rows"], *output["shape"][1:])
    if array.shape != want or array.dtype.str != output["dtype"]:
        raise Corrupt(f"{path}: found {array.dtype.str} {array.shape}; expected {output['dtype']} {want}; run again")
    if sum(part["rows"] for part in file["parts"]) != file["rows"]:
        raise Corrupt(f"{path}: the parts of its ranks do not add up to {file['rows']:,} rows; run again")
    for part in file["parts"]:
        rows = array[part["first_row"] : part["first_row"] + part["rows"]]
        if _crc32(rows) != part["crc32"]:
            raise Corrupt(f"{path}: rows from {part['first_row']:,} are not what their rank wrote; run again")


def _crc32(rows: npt.NDArray[Any]) -> int:
    raw = rows.reshape(-1).view(np.uint8)
    crc = 0
    for at in range(0, len(raw), _READ_BYTES):
        crc = zlib.crc32(raw[at : at + _READ_BYTES].data, crc)
    return crc
