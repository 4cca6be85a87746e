"""Are there as many reads as somebody asks clusters of? Told before anything is committed."""

from __future__ import annotations

from pathlib import Path

from isthmus.backbone.lake import Lake
from isthmus.core.flags import ReadFlag
from isthmus.core.plan import FileInput, Plan
from isthmus.kernels.batch import Cut
from isthmus.kernels.scan import Scanner
from isthmus.prepare.compute import BadText, scan_on
from isthmus.prepare.embedding import tasks_of
from isthmus.prepare.parts import Task
from isthmus.prepare.sniff import sniff
from isthmus.prepare.text import Window, open_source

_LIMIT_BYTES = 1 << 30  # of one record


def count_kept(plan: Plan, lake: Lake, *, at_most: int) -> int:
    """Reads of `plan` that cleaning keeps and that have a k-mer, counted no further than `at_most`.

    Reads only as much of the files as that takes. A record that cannot be read counts as enough: embedding will say
    what is wrong with it.
    """
    files = [one for one in plan.inputs if isinstance(one, FileInput)]
    kinds = [sniff(Path(one.path), name=one.source) for one in files]
    found = 0
    for task in tasks_of(plan, lake, kinds, limit_bytes=_LIMIT_BYTES):
        if found >= at_most:
            break
        try:
            found += _count_in(task, at_most - found)
        except BadText:
            return at_most
    return min(found, at_most)


def _count_in(task: Task, at_most: int) -> int:
    scanner = Scanner(task.format, task.features, cut=Cut(*task.cut), max_rows=64)
    found = 0
    with open_source(Path(task.path), task.compression) as source:
        window = Window(source, base=0, limit_bytes=task.limit_bytes, name=task.name)
        window.skip_to(task.body)
        for batch in scan_on(scanner, window, task.file, end=None):
            found += int(((batch.rows["flags"] & int(ReadFlag.NO_KMERS)) == 0).sum())
            if found >= at_most:
                break
    return found
