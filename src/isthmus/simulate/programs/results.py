"""The result of a job as its ranks make it: rows, small arrays, and result.json last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isthmus.core.files import fsync_folder, write_json
from isthmus.simulate.programs import rank
from isthmus.simulate.programs.outputs import OutFile, gather_parts, lay_out, save_array, write_rows
from isthmus.simulate.programs.world import World
from isthmus.simulate.request import Request

FORMAT = "isthmus-result/1"
FILE_NAME = "result.json"


class Results:
    """Collects what a program writes into its job folder; every method is called by all ranks alike."""

    def __init__(self, request: Request, folder: Path, world: World) -> None:
        self._request, self._folder, self._world = request, folder, world
        self._outputs: dict[str, Any] = {}
        if world.rank == 0:
            (folder / request.outputs).mkdir(exist_ok=True)

    def rows(self, name: str, files: Sequence[OutFile], mine: npt.NDArray[Any]) -> None:
        """Write the rows of all ranks as the output `name`, over one file or several; `mine` are this rank's."""
        x = self._request.inputs["x"]
        first_row = x.ranks[self._world.rank].first_row
        lay_out(files, self._world)
        parts = gather_parts([write_rows(file, mine, first_row) for file in files], self._world)
        self._outputs[name] = {
            "dtype": files[0].dtype if files else mine.dtype.str,
            "shape": [x.rows, *mine.shape[1:]],
            "files": [
                {"path": self._relative(file.path), "rows": file.rows, "parts": own}
                for file, own in zip(files, parts, strict=True)
            ],
        }

    def small(self, name: str, path: Path, values: npt.NDArray[Any]) -> None:
        """Write a small array that every rank holds; rank 0 does it."""
        if self._world.rank == 0:
            part = {"first_row": 0, "rows": len(values), "crc32": save_array(path, values)}
            entry = {"path": self._relative(path), "rows": len(values), "parts": [part]}
            self._outputs[name] = {"dtype": values.dtype.str, "shape": list(values.shape), "files": [entry]}

    def finish(self, statistics: Mapping[str, Any], seconds: Mapping[str, float]) -> None:
        """Write result.json, by rename, once every rank has written everything; seconds are of the slowest rank."""
        slowest = self._world.largest(np.array(list(seconds.values())))
        if self._world.rank:
            return
        fsync_folder(self._folder / self._request.outputs)
        result = {
            "format": FORMAT,
            "program": self._request.program,
            "plan": self._request.plan,
            "attempt": self._request.attempt,
            "restart": self._request.restart,
            "ranks": self._request.ranks,
            "rows": self._request.inputs["x"].rows,
            "outputs": self._outputs,
            "statistics": dict(statistics),
            "seconds": {name: round(float(spent), 4) for name, spent in zip(seconds, slowest, strict=True)},
            "versions": rank.versions(),
        }
        write_json(self._folder / FILE_NAME, result)

    def _relative(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()
