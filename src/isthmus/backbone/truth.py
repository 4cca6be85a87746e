"""Truth files: the known origin of reads, a tab-separated table with the columns `id` and `label`."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path

from isthmus.core.errors import BadRecord, InvalidInput, NotFound


def read_truth(path: Path) -> dict[str, str]:
    """Read a truth file, plain or gzip, into a dict from read id to label.

    Columns other than `id` and `label` are ignored; a repeated line is allowed where it agrees with the first.
    Raises: NotFound; InvalidInput where a column is missing or no row follows; BadRecord with the line
            for a short row or two labels of one id.
    """
    if not path.is_file():
        raise NotFound(f"truth file {path} does not exist")
    with path.open("rb") as handle:
        opened = gzip.open if handle.read(2) == b"\x1f\x8b" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as handle:
            rows = csv.reader(handle, delimiter="\t", quoting=csv.QUOTE_NONE)
            return _labels(rows, path)
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, csv.Error) as error:
        raise InvalidInput(f"truth file {path}: cannot be read as tab-separated text ({error})") from error


def _labels(rows: Iterator[list[str]], path: Path) -> dict[str, str]:
    header = next(rows, [])
    if "id" not in header or "label" not in header:
        raise InvalidInput(
            f"truth file {path}, line 1: found columns {', '.join(map(repr, header)) or 'none'}; "
            "expected a tab-separated header with 'id' and 'label'"
        )
    at_id, at_label = header.index("id"), header.index("label")
    labels: dict[str, str] = {}
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        if len(row) <= max(at_id, at_label):
            raise BadRecord(path, line=line, found=f"{len(row)} columns", expected=f"{len(header)} columns")
        name, label = row[at_id], row[at_label]
        if labels.setdefault(name, label) != label:
            raise BadRecord(
                path,
                line=line,
                found=f"a second label {label!r} for id {name!r}",
                expected=f"{labels[name]!r}, as on an earlier line",
            )
    if not labels:
        raise InvalidInput(f"truth file {path}: no row follows the header")
    return labels
