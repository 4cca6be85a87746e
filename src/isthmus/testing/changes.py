"""Small whole changes to a lake, whose every value tells where it comes from, and a process that commits them.

`python -m isthmus.testing.changes LAKE` reads lines `NAME VERB SEED ROWS` and answers each with one line of JSON:
`{"seed", "ref"}` or `{"seed", "error"}`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from isthmus.backbone.arrays import HalvesWriter, Manifest, RowWriter, Shard
from isthmus.backbone.checksum import xxh3_128_file
from isthmus.backbone.lake import Change, Lake
from isthmus.backbone.schema import READS
from isthmus.core.errors import IsthmusError
from isthmus.core.plan import FileInput, Plan
from isthmus.core.ref import Name

DIM = 3
_BATCH_ROWS = 1 << 15


def small_plan(name: Name, seed: int) -> Plan:
    """A plan that differs from others in its seed only."""
    reads = FileInput(f"{seed}.fq", f"/reads/{seed}.fq", 100 + seed, f"{seed:032x}", "s")
    return Plan("embed", 1, name, (reads,), {"seed": seed})


def small_change(
    lake: Lake, name: Name, seed: int, *, verb: Literal["replace", "append"] = "append", rows: int = 3
) -> Change:
    """A change of `rows` reads in two shards; column `record` and the array's first column hold `seed * 1000 + row`."""
    plan = small_plan(name, seed)
    folder = lake.array_folder(name, plan.id)
    values = np.arange(rows, dtype=np.int64) + seed * 1000
    cut = rows // 2
    pieces = [values[:cut], values[cut:]]
    shards = tuple(_write_shard(folder, i, piece) for i, piece in enumerate(pieces))
    halves = tuple(_write_halves(folder, i, piece) for i, piece in enumerate(pieces))
    manifest = Manifest("<f4", DIM, rows, shards, halves, {"name": "small"})
    return Change(name, verb, plan, READS, _batches(values, cut, seed), manifest, {"records_in": rows})


def rows_of(values: np.ndarray) -> np.ndarray:
    """The rows of the array for values of `record`: (value, seed, 1) as float32."""
    columns = [values % 2**20, values // 1000, np.ones_like(values)]
    return np.stack(columns, axis=1).astype("<f4")


def _write_shard(folder: Path, i: int, values: np.ndarray) -> Shard:
    path = folder / f"{i:04d}.npy"
    with RowWriter(path, DIM) as writer:
        writer.append(rows_of(values))
    return Shard(path.name, len(values), xxh3_128_file(path))


def _write_halves(folder: Path, i: int, values: np.ndarray) -> Shard:
    path = folder / f"{i:04d}.halves.npy"
    with HalvesWriter(path, DIM) as writer:
        writer.append(np.stack([rows_of(values), -rows_of(values)]))
    return Shard(path.name, len(values), xxh3_128_file(path))


def _batches(values: np.ndarray, cut: int, seed: int) -> Iterator[pa.RecordBatch]:
    row = np.arange(len(values))
    for at in range(0, len(values), _BATCH_ROWS):
        here = slice(at, at + _BATCH_ROWS)
        n = len(values[here])
        second = (row[here] >= cut).astype(np.int32)
        columns = {
            "id": [f"read{value}" for value in values[here]],
            "shard": second,
            "row_in_shard": row[here] - second * cut,
            "record": values[here],
            "source": [f"{seed}.fq"] * n,
            "sample": ["s"] * n,
            "mean_quality": [None] * n,
        }
        zeros = np.zeros(n, np.int32)
        arrays = [pa.array(columns.get(field.name, zeros), field.type) for field in READS]
        yield pa.RecordBatch.from_arrays(arrays, schema=READS)


def main() -> None:
    lake = Lake.open(sys.argv[1])
    if "ISTHMUS_DIE_AT" in os.environ:
        _die_at(int(os.environ["ISTHMUS_DIE_AT"]), lake.root)
    print("ready", flush=True)  # noqa: T201 - this is its answer
    for line in sys.stdin:
        name, verb, seed, rows = line.split()
        answer: dict[str, object] = {"seed": int(seed)}
        try:
            change = small_change(lake, Name.parse(name), int(seed), verb=verb, rows=int(rows))  # type: ignore[arg-type]
            answer["ref"] = str(lake.commit(change))
        except IsthmusError as error:
            answer["error"] = f"{type(error).__name__}: {error}"
        print(json.dumps(answer), flush=True)  # noqa: T201 - this is its answer


def _die_at(step: int, root: Path) -> None:
    """Kill this process, as `kill -9` does, at the `step`-th thing it does to a file of the lake from here on."""
    left = step

    def hook(event: str, args: tuple[object, ...]) -> None:
        nonlocal left
        if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.link", "os.listdir", "os.scandir"):
            target = args[0]
            if isinstance(target, str | Path) and str(target).startswith(str(root)):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), 9)

    sys.addaudithook(hook)


if __name__ == "__main__":
    main()
