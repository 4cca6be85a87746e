"""What a scan is asked and what it finds: shared by the compiled kernel and its plain twin."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from isthmus.kernels.profiles import Profiles

Array = npt.NDArray[Any]

FASTQ, FASTA = 0, 1


class Status(IntEnum):
    """Why a scan came back."""

    MORE = 0  # the text ended inside a record
    ROWS_FULL = 1  # go on from `next`
    AT_STOP = 2  # the next record begins at or behind the stop
    AT_END = 3  # the file is read
    BAD = 4  # see the fault


class Wrong(IntEnum):
    """What is wrong with a record."""

    BAD_START = 1  # it does not begin with its mark
    CUT = 2  # the file ends inside it
    LENGTHS = 3  # sequence and quality differ in length
    LETTER = 4  # no nucleotide code
    QUALITY = 5  # no printable quality
    PLUS_NAME = 6  # the '+' line names another read
    NAME = 7  # its name is not printable ASCII
    LONE_CR = 8  # a carriage return within a line
    TOO_LONG = 9  # more than 2^31 - 1 letters


ROW = np.dtype(
    [
        ("start", "<i8"),  # bytes of the record in the text
        ("end", "<i8"),
        ("record", "<i8"),  # its number in this call, dropped ones counted
        ("hash", "<u8"),  # 64-bit FNV-1a of the id
        ("id_len", "<i4"),
        ("length", "<i4"),
        ("n_ambiguous", "<i4"),
        ("flags", "<i4"),  # core.flags.ReadFlag
        ("gc", "<f4"),
        ("quality", "<f4"),  # NaN where there is none
    ]
)


@dataclass(frozen=True)
class Cut:
    """The filters, in the order in which they are asked: too_short, low_quality, many_n."""

    min_length: int = 0
    min_mean_quality: float = 0.0
    max_n_share: float = 1.0


@dataclass(frozen=True)
class Fault:
    """What and where: `start` of the record in the text, `line` within it from 0, the byte (-1: none), lengths."""

    wrong: Wrong
    start: int
    line: int
    byte: int
    a: int
    b: int


@dataclass(frozen=True, eq=False)
class Batch:
    """What one scan found. The arrays are views that the next scan overwrites.

    Args:
        next:     where to go on: the start of the first record that was not taken.
        rows:     ROW (n,): the records that passed the filters.
        ids:      uint8: their ids, one behind the other.
        whole:    float32 (n, D);  halves: float32 (2, n, D).
        records:  all records that were taken, `dropped` ones (too_short, low_quality, many_n) included.
    """

    status: Status
    next: int
    rows: Array
    ids: Array
    whole: Array
    halves: Array
    records: int
    bases_in: int
    bases_out: int
    dropped: tuple[int, int, int]
    fault: Fault | None


class Asked(Protocol):
    """What a scan needs to know; `Scanner` holds it."""

    format: int
    profiles: Profiles
    cut: Cut
    max_rows: int
    error: Array
