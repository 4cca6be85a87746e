"""How a rank reads its rows from many shards, every byte touched, against one memory map and against Parquet.

    python benchmarks/bench_rank_read.py [--gb 1] [--runs 5]

All on one core, page cache warm, files opened anew in each run. The rank reads as the programs do: an ArrayView over
the shards, in blocks of 4,096 rows that do not care for the shards' borders. Touching is a maximum of all 32-bit words,
the same for all. Parquet and Arrow get their best settings here: no compression, no dictionary, no statistics, memory
maps. All files are written from memory by write(): how a file was written decides how large the pages are that the
page cache keeps of it, and so how often a memory map faults: one and the same map read 5 and 31 GB/s here.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from harness import in_turn, ratio, show, verdict

from isthmus.backbone.arrays import ArrayView, RowWriter
from isthmus.simulate.programs.rows import RawRows
from isthmus.simulate.request import BLOCK_ROWS

DIM, SHARDS, GROUP = 103, 11, 16_000
Chunks = Callable[[], Iterator[np.ndarray]]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gb", type=float, default=1.0)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    rows = int(args.gb * 1e9) // (4 * DIM)
    with tempfile.TemporaryDirectory(prefix="bench-rank-read-") as folder:
        ways = _ways(Path(folder), rows)
        _check_equal(ways)
        timings = in_turn({name: lambda chunks=chunks: _touch(chunks) for name, chunks in ways.items()}, runs=args.runs)
    show(f"({rows:,} x {DIM}) float32, every byte touched, one core", timings, rows * DIM * 4 / 1e9, "GB")
    ours = "a rank: blocks over shards"
    near = verdict("a rank against one memory map", ratio(timings, ours, "np.memmap of one file"), 0.8)
    far = verdict("a rank against a Parquet list column", ratio(timings, ours, "Parquet list<float32>"), 25)
    for peer in ("Parquet list<float32>, default settings", "Parquet fixed_size_binary", "Arrow IPC fixed_size_list"):
        print(f"       a rank against {peer}: {ratio(timings, ours, peer):.2f}x")
    return 0 if near and far else 1


def _ways(folder: Path, rows: int) -> dict[str, Chunks]:
    """Write the same rows in every form; returns how each is read."""
    one, shards = folder / "one.npy", _write(folder, rows)
    return {
        "np.memmap of one file": lambda: _blocks(np.load(one, mmap_mode="r")),
        "a rank: blocks over shards": lambda: _rank(shards, rows),
        "Arrow IPC fixed_size_list": lambda: _ipc(folder / "rows.arrow"),
        "Parquet fixed_size_binary": lambda: _parquet_binary(folder / "binary.parquet"),
        "Parquet list<float32>": lambda: _parquet_list(folder / "list.parquet"),
        "Parquet list<float32>, default settings": lambda: _parquet_list(folder / "defaults.parquet"),
    }


def _write(folder: Path, rows: int) -> list[tuple[Path, int]]:
    """Random rows as one `.npy`, as shards, as Parquet and as Arrow IPC; returns the shards as ArrayView wants them."""
    rng = np.random.default_rng(3)
    ends = _uneven(rows)
    shards = [(folder / f"part-{i:05d}.npy", hi - lo) for i, (lo, hi) in enumerate(pairwise(ends))]
    with ExitStack() as stack:
        one = stack.enter_context(RowWriter(folder / "one.npy", DIM))
        arrow = _ArrowFiles(folder, stack)
        for path, count in shards:
            writer = stack.enter_context(RowWriter(path, DIM))
            for lo in range(0, count, GROUP):
                block = rng.standard_normal((min(GROUP, count - lo), DIM), np.float32)
                one.append(block)
                writer.append(block)
                arrow.append(block)
    return shards


def _uneven(rows: int) -> list[int]:
    """Borders of SHARDS shards, from 0 to `rows`; as phase 1 leaves them, they are no multiples of a block."""
    inner = (np.linspace(0, 1, SHARDS + 1)[1:-1] ** 1.1 * rows).astype(int).tolist()
    return [0, *inner, rows]


class _ArrowFiles:
    """Row groups: lists (best settings, defaults) and fixed-size binary in Parquet, fixed-size lists in Arrow IPC."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        plain = {"compression": "none", "use_dictionary": False, "write_statistics": False}
        kinds = pa.list_(pa.float32()), pa.binary(4 * DIM), pa.list_(pa.float32(), DIM)
        self._lists, self._binary, self._fixed = (pa.schema([pa.field("v", kind, nullable=False)]) for kind in kinds)
        self._to_lists = stack.enter_context(pq.ParquetWriter(folder / "list.parquet", self._lists, **plain))
        self._to_defaults = stack.enter_context(pq.ParquetWriter(folder / "defaults.parquet", self._lists))
        self._to_binary = stack.enter_context(pq.ParquetWriter(folder / "binary.parquet", self._binary, **plain))
        self._to_ipc = stack.enter_context(pa.ipc.new_file(folder / "rows.arrow", self._fixed))

    def append(self, block: np.ndarray) -> None:
        """Add one row group (n, DIM)."""
        n, values = len(block), pa.array(block.reshape(-1))
        lists = pa.ListArray.from_arrays(pa.array(np.arange(n + 1, dtype=np.int32) * DIM), values)
        binary = pa.Array.from_buffers(pa.binary(4 * DIM), n, [None, pa.py_buffer(block)])
        fixed = pa.FixedSizeListArray.from_arrays(values, DIM)
        self._to_lists.write_table(pa.table([lists], schema=self._lists), row_group_size=n)
        self._to_defaults.write_table(pa.table([lists], schema=self._lists), row_group_size=n)
        self._to_binary.write_table(pa.table([binary], schema=self._binary), row_group_size=n)
        self._to_ipc.write_table(pa.table([fixed], schema=self._fixed))


def _blocks(whole: np.ndarray) -> Iterator[np.ndarray]:
    for lo in range(0, len(whole), BLOCK_ROWS):
        yield whole[lo : lo + BLOCK_ROWS]


def _rank(shards: list[tuple[Path, int]], rows: int) -> Iterator[np.ndarray]:
    """As the rank programs read; the padding of the last block is left out."""
    raw = RawRows(ArrayView(shards, DIM).between, 0, rows, DIM)
    for place, block in raw.blocks():
        yield block[: rows - place.start]


def _ipc(path: Path) -> Iterator[np.ndarray]:
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        for i in range(reader.num_record_batches):
            yield reader.get_batch(i).column(0).flatten().to_numpy()


def _parquet_binary(path: Path) -> Iterator[np.ndarray]:
    for column in _groups(path):
        values = np.frombuffer(column.buffers()[1], np.float32)
        yield values[column.offset * DIM : (column.offset + len(column)) * DIM]


def _parquet_list(path: Path) -> Iterator[np.ndarray]:
    for column in _groups(path):
        yield column.flatten().to_numpy()


def _groups(path: Path) -> Iterator[pa.Array]:
    with pq.ParquetFile(path, memory_map=True) as opened:
        for i in range(opened.num_row_groups):
            yield from opened.read_row_group(i, use_threads=False).column(0).chunks


def _touch(chunks: Chunks) -> int:
    return max(int(one.view(np.uint32).max()) for one in chunks() if one.size)


def _check_equal(ways: dict[str, Chunks]) -> None:
    """Every way gives the same words in the same order."""
    sums = {}
    for name, chunks in ways.items():
        at, total = 0, 0
        for one in chunks():
            words = one.reshape(-1).view(np.uint32).astype(np.uint64)
            places = np.arange(at, at + len(words), dtype=np.uint64) | np.uint64(1)
            total = (total + int((words * places).sum(dtype=np.uint64))) & (2**64 - 1)
            at += len(words)
        sums[name] = (at, total)
    assert len(set(sums.values())) == 1, sums


if __name__ == "__main__":
    sys.exit(main())
