"""The request of a job: what to compute, on which rows of which files; written once, read by every rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from isthmus.core.errors import InvalidInput
from isthmus.core.files import read_json, write_json
from isthmus.core.plan import Json

FORMAT = "isthmus-request/1"
FILE_NAME = "request.json"
BLOCK_ROWS = 4096  # borders of ranks fall on multiples of it, so that results do not depend on their number


@dataclass(frozen=True)
class RowRange:
    """Rows `first_row` to `first_row + rows` of an array."""

    first_row: int
    rows: int


@dataclass(frozen=True)
class ShardFile:
    """One `.npy` file by absolute path, its rows, and the xxh3-128 of its bytes."""

    path: str
    rows: int
    xxh3_128: str


@dataclass(frozen=True)
class ArrayInput:
    """An array as files. `shards` are (n, dim), or (2, n, dim) for halves; `ranks` has one range for each rank."""

    ref: str
    dtype: str
    dim: int
    rows: int
    shards: tuple[ShardFile, ...]
    ranks: tuple[RowRange, ...]


@dataclass(frozen=True)
class Request:
    """All that a rank program is told.

    Args:
        inputs:       arrays by name; kmeans reads `x` and, where there is one, `halves`.
        columns:      per-row facts as (N,) `.npy` files, by paths relative to the job folder: `flags` int32
                      (core.flags.ReadFlag) and `length` int32 (bases).
        checkpoint:   file where a program may leave its state for the next attempt at the same plan.
        checkpoint_s: least seconds between two checkpoints.
        outputs:      folder for results, relative to the job folder.
    """

    program: str
    plan: str
    attempt: int
    restart: int
    ranks: int
    params: Mapping[str, Json]
    inputs: Mapping[str, ArrayInput]
    columns: Mapping[str, str] = field(default_factory=dict)
    checkpoint: str = ""
    checkpoint_s: float = 20.0
    outputs: str = "out/"


def rank_borders(rows: int, ranks: int) -> tuple[RowRange, ...]:
    """Split `rows` into one range for each rank, whole blocks counted from row 0; ranges may be empty.

    Blocks are dealt as evenly as they go, so that 3 blocks on 2 ranks are 2 and 1.
    """
    blocks = -(-rows // BLOCK_ROWS)
    ends = [min(rows, (blocks * (rank + 1) + ranks - 1) // ranks * BLOCK_ROWS) for rank in range(ranks)]
    return tuple(RowRange(lo, hi - lo) for lo, hi in zip([0, *ends], ends, strict=False))


def write_request(folder: Path, request: Request) -> Path:
    """Write `request.json` into the job folder, by rename."""
    path = folder / FILE_NAME
    write_json(path, {"format": FORMAT, **asdict(request)})
    return path


def read_request(folder: Path) -> Request:
    """Read `request.json`. Raises NotFound, Corrupt, or InvalidInput for another format or a missing key."""
    value = read_json(folder / FILE_NAME)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise InvalidInput(f"{folder / FILE_NAME}: found another format; expected {FORMAT!r}; prepare the job again")
    try:
        fields = {key: value[key] for key in Request.__dataclass_fields__}
        fields["inputs"] = {name: _array(one) for name, one in fields["inputs"].items()}
    except (KeyError, TypeError) as error:
        raise InvalidInput(f"{folder / FILE_NAME}: {error} is missing or wrong; prepare the job again") from error
    return Request(**fields)


def _array(value: Mapping[str, Any]) -> ArrayInput:
    shards: Sequence[Mapping[str, Any]] = value["shards"]
    ranks: Sequence[Mapping[str, Any]] = value["ranks"]
    return ArrayInput(
        ref=value["ref"],
        dtype=value["dtype"],
        dim=value["dim"],
        rows=value["rows"],
        shards=tuple(ShardFile(**shard) for shard in shards),
        ranks=tuple(RowRange(**one) for one in ranks),
    )
