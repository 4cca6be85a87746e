"""What embedding files would take: rows, bytes and memory, from a sample of each file's first records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from isthmus.core.errors import WontFit
from isthmus.core.files import human_bytes
from isthmus.core.plan import Projection
from isthmus.kernels.batch import Cut
from isthmus.kernels.profiles import profiles
from isthmus.kernels.scan import Scanner
from isthmus.prepare.parts import Task
from isthmus.prepare.text import BLOCK_BYTES, Window, open_source

WORKER_BYTES = 64 << 20  # measured, at 0.2 and 1 GB of input alike: 51 MiB for interpreter, numpy, window, one batch
DRIVER_BYTES = 160 << 20  # with pyarrow and deltalake
ROW_BYTES = 56 + 2 * 40  # a row in scratch, and its ids there and in the table


@dataclass(frozen=True)
class Sampled:
    """What the first 4 MiB of a file's text let one expect of the whole; exact where that is the whole."""

    text_bytes: int
    rows: int


def sample(task: Task) -> Sampled:
    """Look into the file of `task`. A bad record is not this function's to report: it counts what came before."""
    scanner = Scanner(task.format, "none", cut=Cut(*task.cut))
    with open_source(Path(task.path), task.compression) as source:
        window = Window(source, base=0, limit_bytes=max(BLOCK_BYTES, task.limit_bytes), name=task.name)
        window.more()
        text_bytes = window.n if window.at_end else max(window.n, window.n * task.size // max(1, source.position()))
        if task.compression == "plain":
            text_bytes = task.size
        lo, rows = task.body, 0
        while True:
            batch = scanner.scan(window.buffer, lo, window.n, at_end=window.at_end)
            lo, rows = batch.next, rows + len(batch.rows)
            if batch.status != 1:
                break
        if window.at_end or lo <= task.body:
            return Sampled(text_bytes, max(rows, 1))
        return Sampled(text_bytes, round(rows * text_bytes / lo))


def project_tasks(tasks: Sequence[Task], sampled: Sequence[Sampled], free_bytes: int, *, workers: int) -> Projection:
    """Rows, bytes on disk (shards, halves, table, scratch) and peak memory of all workers together."""
    rows = sum(one.rows for one in sampled)
    dim = profiles(tasks[0].features).dim
    out_bytes = rows * (3 * 4 * dim + ROW_BYTES)
    text_bytes = sum(one.text_bytes for one in sampled)
    notes = [
        f"{len(tasks):,} file(s), {human_bytes(sum(task.size for task in tasks))} on disk, "
        f"about {human_bytes(text_bytes)} of text",
        f"{dim} numbers per read, for the whole and for each half",
    ]
    return Projection(rows, out_bytes, memory_bytes(workers), free_bytes, tuple(notes))


def memory_bytes(workers: int) -> int:
    """What this process and `workers` workers take together, as long as no record is longer than `BLOCK_BYTES`."""
    return DRIVER_BYTES + WORKER_BYTES * max(1, workers)


def workers_that_fit(mem_bytes: int, wanted: int) -> int:
    """As many of `wanted` workers as `mem_bytes` allows. Raises WontFit where it allows none."""
    least = memory_bytes(1)
    if mem_bytes < least:
        raise WontFit(
            f"one worker needs {human_bytes(least)} of memory, and {human_bytes(mem_bytes)} may be used; "
            f"give at least {human_bytes(least)} with --memory"
        )
    return max(1, min(wanted, (mem_bytes - DRIVER_BYTES) // WORKER_BYTES))


def record_limit(mem_bytes: int, workers: int) -> int:
    """Bytes of a file's text that each of `workers` may hold at once, and so the longest record that it can read.

    A third of what is left over: the text, joined lines, and ids may be as long each.
    """
    return BLOCK_BYTES + (mem_bytes - memory_bytes(workers)) // max(1, workers) // 3
