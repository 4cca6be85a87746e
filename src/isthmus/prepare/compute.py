"""Computing parts: one pass over the text of a file, from the first record of a part to the first behind it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from isthmus.kernels.batch import FASTA, Batch, Cut, Fault, Status
from isthmus.kernels.scan import Scanner
from isthmus.prepare.parts import PartWriter, Receipt, Task, read_receipt
from isthmus.prepare.text import Window, open_source


class BadText(Exception):
    """A record cannot be read; `explain` finds its number and line.

    Args: offset: where it begins in the text; records: how many the same scan took before it.
    """

    def __init__(self, file: int, fault: Fault, offset: int, *, records: int = 0) -> None:
        self.file, self.fault, self.offset, self.records = file, fault, offset, records
        super().__init__(f"file {file}: {fault.wrong.name} at text offset {offset}")


def scan_on(scanner: Scanner, window: Window, file: int, *, end: int | None) -> Iterator[Batch]:
    """Batches from where `window` stands to the first record that begins at text offset `end` or behind it.

    The window stands there afterwards. Raises BadText.
    """
    while True:
        stop = None if end is None else max(0, end - window.base)
        batch = scanner.scan(window.buffer, window.lo, window.n, at_end=window.at_end, stop=stop)
        window.lo = batch.next
        if batch.fault is not None:
            raise BadText(file, batch.fault, window.base + batch.fault.start, records=batch.records)
        yield batch
        if batch.status in (Status.AT_STOP, Status.AT_END):
            return
        if batch.status is Status.MORE:
            window.more()


def compute(task: Task) -> Iterator[Receipt]:
    """Compute the part that `task` names, or all parts of its file in order; finished ones are not done again."""
    scanner = Scanner(task.format, task.features, cut=Cut(*task.cut))
    if task.part is None:
        yield from _compute_all(task, scanner)
    else:
        yield _compute_one(task, scanner, task.part)


def _compute_one(task: Task, scanner: Scanner, part: int) -> Receipt:
    border = part * task.part_bytes
    end = border + task.part_bytes
    start = task.start
    if start is None:
        start = task.body if border <= task.body else find_start(task, border, end)
    if start is None or start >= end:
        return _empty(task, scanner, part)
    with open_source(Path(task.path), task.compression, offset=start) as source:
        window = Window(source, base=start, limit_bytes=task.limit_bytes, name=task.name)
        return _compute_here(task, scanner, part, window, end)


def _compute_all(task: Task, scanner: Scanner) -> Iterator[Receipt]:
    """All parts of a file that can only be read from its beginning."""
    with open_source(Path(task.path), task.compression) as source:
        window = Window(source, base=0, limit_bytes=task.limit_bytes, name=task.name)
        window.skip_to(task.body)
        expected, part = task.body, 0
        while True:
            end = (part + 1) * task.part_bytes
            receipt = read_receipt(task, part)
            if receipt is None or not receipt.fits(expected, end):
                window.skip_to(expected)
                receipt = (
                    _compute_here(task, scanner, part, window, end) if expected < end else _empty(task, scanner, part)
                )
            yield receipt
            if receipt.text_end >= 0:
                return
            expected = receipt.stop if receipt.records else expected
            part += 1


def _compute_here(task: Task, scanner: Scanner, part: int, window: Window, end: int) -> Receipt:
    cpu, wall = window.cpu_seconds(), time.perf_counter()
    start = window.base + window.lo
    with PartWriter(task, part, scanner.profiles.dim) as out:
        for batch in scan_on(scanner, window, task.file, end=end):
            base = window.base
            out.append(batch, base)
        stop = window.base + window.lo
        return out.finish(
            start=start,
            stop=stop,
            text_end=stop if batch.status is Status.AT_END else -1,
            cpu_seconds=window.cpu_seconds() - cpu,
            wall_seconds=time.perf_counter() - wall,
        )


def _empty(task: Task, scanner: Scanner, part: int) -> Receipt:
    with PartWriter(task, part, scanner.profiles.dim) as out:
        return out.finish(start=-1, stop=-1, text_end=-1, cpu_seconds=0.0, wall_seconds=0.0)


def find_start(task: Task, border: int, end: int) -> int | None:
    """The first record that begins in the text from `border` to `end`, as far as can be seen from there; None: none.

    In FASTA every line that begins with '>' is one. In FASTQ a quality line may begin with '@' as well: a record counts
    that can be read whole. The caller checks the answer against where the part before stopped.
    """
    mark = b">" if task.format == FASTA else b"@"
    probe = Scanner(task.format, "none", max_rows=2)
    with open_source(Path(task.path), task.compression, offset=border - 1) as source:
        window = Window(source, base=border - 1, limit_bytes=task.limit_bytes, name=task.name)
        window.more()
        while window.base + window.lo < end - 1:
            at = window.buffer[window.lo : window.n].tobytes().find(b"\n" + mark)
            if at < 0:
                if window.at_end:
                    return None
                window.lo = window.n - 1
                window.more()
                continue
            window.lo += at + 1
            if window.base + window.lo >= end:
                return None
            if task.format == FASTA or _reads_whole(probe, window):
                return window.base + window.lo
    return None


def _reads_whole(probe: Scanner, window: Window) -> bool:
    while True:
        batch = probe.scan(window.buffer, window.lo, window.n, at_end=window.at_end)
        if batch.records or batch.status is not Status.MORE:
            return batch.records > 0
        window.more()
