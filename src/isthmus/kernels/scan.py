"""Scanning text for records: the door to the compiled kernel, and to its plain twin where there is none."""

from __future__ import annotations

import ctypes

import numpy as np

from isthmus.core.errors import NotInstalled
from isthmus.kernels.batch import FASTA, ROW, Array, Batch, Cut, Fault, Status, Wrong
from isthmus.kernels.native import library
from isthmus.kernels.profiles import Profiles, error_probabilities, profiles


class _Setting(ctypes.Structure):
    _fields_ = (
        ("format", ctypes.c_int64),
        ("k", ctypes.c_int64),
        ("dim", ctypes.c_int64),
        ("n_canonical", ctypes.c_int64),
        ("forward", ctypes.c_void_p),
        ("reverse", ctypes.c_void_p),
        ("basis", ctypes.c_void_p),
        ("error", ctypes.c_void_p),
        ("min_length", ctypes.c_int64),
        ("min_quality", ctypes.c_double),
        ("max_n_share", ctypes.c_double),
    )


_OUTCOME = (
    *("status", "next", "rows", "records", "id_bytes", "bases_in", "bases_out", "too_short", "low_quality", "many_n"),
    *("error", "error_start", "error_line", "error_byte", "error_a", "error_b"),
)


class Scanner:
    """Scans text block by block; holds the room for one batch, which grows with the text it is shown.

    Args:
        format:   FASTQ or FASTA.
        features: name of the profiles, or `none` for rows alone.
        max_rows: rows per batch; default: as many as 8 MiB of features hold, between 64 and 8,192.
    """

    def __init__(self, format: int, features: str, *, cut: Cut | None = None, max_rows: int | None = None) -> None:
        self.format = format
        self.profiles: Profiles = profiles(features)
        self.cut = cut or Cut()
        dim = self.profiles.dim
        self.max_rows = max_rows or max(64, min(8192, (8 << 20) // max(1, 12 * dim)))
        self.error = error_probabilities()
        self._rows = np.empty(self.max_rows, ROW)
        self._whole = np.empty((self.max_rows, dim), np.float32)
        self._halves = np.empty((2, self.max_rows, dim), np.float32)
        self._ids = self._scratch = np.empty(0, np.uint8)
        self._outcome = np.zeros(len(_OUTCOME), np.int64)
        self._library = library()
        self._setting = self._make_setting()

    def scan(self, text: Array, lo: int, n: int, *, at_end: bool, stop: int | None = None) -> Batch:
        """Take the records of text[lo:n] that begin before `stop`, until the text ends or the rows are full.

        Args: text: uint8, contiguous; at_end: text[n] is the end of the file. The interpreter lock is released.
        """
        if len(self._ids) < n:
            self._ids, self._scratch = np.empty(len(text), np.uint8), np.empty(len(text), np.uint8)
        if self._library is None:
            from isthmus.kernels.plain_scan import scan

            return scan(self, bytes(text[:n]), lo, at_end=at_end, stop=n if stop is None else stop)
        self._library.isthmus_scan(
            *map(ctypes.c_void_p, (text.ctypes.data,)),
            *map(ctypes.c_int64, (lo, n, int(at_end), n + 1 if stop is None else stop)),
            ctypes.byref(self._setting),
            ctypes.c_int64(self.max_rows),
            *(
                ctypes.c_void_p(a.ctypes.data)
                for a in (self._scratch, self._rows, self._ids, self._whole, self._halves)
            ),
            ctypes.c_void_p(self._outcome.ctypes.data),
        )
        return self._batch()

    def _batch(self) -> Batch:
        out = dict(zip(_OUTCOME, self._outcome.tolist(), strict=True))
        n = out["rows"]
        fault = None
        if out["status"] == Status.BAD:
            where = (out[f"error_{what}"] for what in ("start", "line", "byte", "a", "b"))
            fault = Fault(Wrong(out["error"]), *where)
        return Batch(
            status=Status(out["status"]),
            next=out["next"],
            rows=self._rows[:n],
            ids=self._ids[: out["id_bytes"]],
            whole=self._whole[:n],
            halves=self._halves[:, :n],
            records=out["records"],
            bases_in=out["bases_in"],
            bases_out=out["bases_out"],
            dropped=(out["too_short"], out["low_quality"], out["many_n"]),
            fault=fault,
        )

    def _make_setting(self) -> _Setting:
        p, cut = self.profiles, self.cut
        return _Setting(
            format=self.format,
            k=p.k,
            dim=p.dim,
            n_canonical=len(p.kmers),
            forward=p.forward.ctypes.data,
            reverse=p.reverse.ctypes.data,
            basis=None if p.basis is None else p.basis.ctypes.data,
            error=self.error.ctypes.data,
            min_length=cut.min_length,
            min_quality=cut.min_mean_quality,
            max_n_share=cut.max_n_share,
        )


def count_canonical(text: Array, ends: Array, features: str = "kmer:4") -> Array:
    """Canonical k-mer counts of sequences in memory; uint32 (n, canonical).

    Args:   text: uint8, one sequence behind the other; ends: int64 (n + 1,), sequence i is text[ends[i]:ends[i + 1]].
    Raises: NotInstalled where there is no compiled kernel.
    """
    found = library()
    if found is None:
        raise NotInstalled("count_canonical needs the compiled kernels: install isthmus where there is a C compiler")
    scanner = Scanner(FASTA, features, max_rows=64)
    borders = np.ascontiguousarray(ends, np.int64)
    counts = np.empty((len(borders) - 1, len(scanner.profiles.kmers)), np.uint32)
    found.isthmus_count(
        ctypes.c_void_p(text.ctypes.data),
        ctypes.c_void_p(borders.ctypes.data),
        ctypes.c_int64(len(counts)),
        ctypes.byref(scanner._setting),
        ctypes.c_void_p(counts.ctypes.data),
    )
    return counts
