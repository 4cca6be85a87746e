"""The plain twin of scan.c and kmers.c: the same bytes from Python and numpy; the fallback, and the test oracle."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from isthmus.core.flags import ReadFlag
from isthmus.kernels.batch import ROW, Array, Asked, Batch, Fault, Status, Wrong

_MORE, _ROWS_FULL, _AT_STOP, _AT_END, _BAD = range(5)
_BAD_START, _CUT, _LENGTHS, _LETTER, _QUALITY, _PLUS_NAME, _NAME, _LONE_CR, _TOO_LONG = range(1, 10)
_BLANKS = b" \t"
_CODE = np.full(256, 255, np.uint8)
for _letter, _code in zip(b"ACTGUactgu", (0, 1, 2, 3, 2) * 2, strict=True):
    _CODE[_letter] = _code
_OTHER = frozenset(b"RYSWKMBDHVNryswkmbdhvn-.*")
_LN2, _PER_LN = 0.69314718055994530942, -4.3429448190325182765


class _More(Exception):
    """The text ended inside a record."""


class _Bad(Exception):
    """error, line, byte, a, b."""


@dataclass
class _Record:
    start: int
    id: bytes = b""
    seq: bytes = b""
    qual: bytes | None = None
    next: int = 0
    gc: int = 0
    acgt: int = 0
    letters: bytes = b""  # the sequence before blanks were taken out


@dataclass
class _Text:
    """The text, with what C's helpers do."""

    data: bytes
    at_end: bool
    fastq: bool

    def line(self, pos: int) -> tuple[int, int]:
        """End of the line at `pos`, without line end, and where the next begins."""
        at = self.data.find(b"\n", pos) if pos < len(self.data) else -1
        end, after = (at, at + 1) if at >= 0 else (len(self.data), len(self.data))
        return (end - 1 if end > pos and self.data[end - 1] == 13 else end), after

    def whole(self, after: int) -> bool:
        return self.at_end or (after > 0 and self.data[after - 1] == 10)

    def ran_out(self, line: int, seq: int, qual: int) -> Exception:
        return _Bad(_CUT, line, -1, seq, qual) if self.at_end else _More()


@dataclass
class _Found:
    """What is collected for a batch."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    ids: list[bytes] = field(default_factory=list)
    features: list[Array] = field(default_factory=list)
    records: int = 0
    bases_in: int = 0
    bases_out: int = 0
    dropped: list[int] = field(default_factory=lambda: [0, 0, 0])


def scan(scanner: Asked, text: bytes, lo: int, *, at_end: bool, stop: int) -> Batch:
    """What `Scanner.scan` promises."""
    whole, found, pos = _Text(text, at_end, scanner.format == 0), _Found(), lo
    while True:
        pos = _skip_blank_lines(text, pos, at_end=at_end)
        status = _place(whole, pos, stop, len(found.rows) >= scanner.max_rows)
        if status is not None:
            return _batch(scanner, found, status, pos, None)
        record = _Record(pos)
        try:
            _read(whole, record)
            quality = _check(whole, record, scanner)
        except _More:
            return _batch(scanner, found, _MORE, pos, None)
        except _Bad as bad:
            return _batch(scanner, found, _BAD, pos, (bad.args[0], pos, *bad.args[1:]))
        _take(scanner, found, record, quality)
        pos = record.next


def _place(text: _Text, pos: int, stop: int, full: bool) -> int | None:
    n = len(text.data)
    if not text.at_end and (pos >= n or (pos + 1 == n and text.data[pos] == 13)):
        return _MORE
    if pos >= n:
        return _AT_END
    if pos >= stop:
        return _AT_STOP
    return _ROWS_FULL if full else None


def _skip_blank_lines(text: bytes, pos: int, *, at_end: bool) -> int:
    while True:
        if text[pos : pos + 1] == b"\n":
            pos += 1
        elif text[pos : pos + 2] == b"\r\n":
            pos += 2
        elif at_end and text[pos:] == b"\r":
            pos += 1
        else:
            return pos


def _read(text: _Text, record: _Record) -> None:
    mark = 64 if text.fastq else 62
    if text.data[record.start] != mark:
        raise _Bad(_BAD_START, 0, text.data[record.start], 0, 0)
    header_end, pos = text.line(record.start)
    _read_id(text.data, record, header_end)
    if not text.whole(pos):
        raise _More
    if text.fastq:
        _read_fastq(text, record, header_end, pos)
    else:
        record.seq, record.next, _ = _join_lines(text, pos, 62)
        record.letters = record.seq


def _read_id(data: bytes, record: _Record, end: int) -> None:
    pos = record.start + 1
    while pos < end and data[pos] in _BLANKS:
        pos += 1
    first = pos
    while pos < end and data[pos] not in _BLANKS:
        if not 33 <= data[pos] <= 126:
            raise _Bad(_LONE_CR if data[pos] == 13 else _NAME, 0, data[pos], 0, 0)
        pos += 1
    record.id = data[first:pos]
    for byte, error in ((0, _NAME), (13, _LONE_CR)):
        if byte in data[pos:end]:
            raise _Bad(error, 0, byte, 0, 0)


def _join_lines(text: _Text, pos: int, mark: int) -> tuple[bytes, int, int]:
    """The sequence up to the line that begins with `mark`, where that is, and its line in the record."""
    lines: list[bytes] = []
    while True:
        if pos >= len(text.data):
            if mark == 62 and text.at_end:
                break
            raise text.ran_out(len(lines) + 1, sum(map(len, lines)), 0)
        if text.data[pos] == mark:
            break
        if mark == 43 and text.data[pos] == 64:
            raise _Bad(_LETTER, len(lines) + 1, 64, 0, 0)
        end, after = text.line(pos)
        if not text.whole(after):
            raise _More
        lines.append(text.data[pos:end])
        pos = after
    return b"".join(lines), pos, len(lines) + 1


def _check_plus(text: _Text, record: _Record, header_end: int, pos: int, line: int) -> int:
    end, after = text.line(pos)
    if not text.whole(after):
        raise _More
    repeated = text.data[pos + 1 : end]
    if repeated and repeated not in (text.data[record.start + 1 : header_end], record.id):
        raise _Bad(_PLUS_NAME, line, -1, 0, 0)
    return after


def _four_lines(text: _Text, record: _Record, header_end: int, pos: int) -> bool:
    """The usual record, where it lies whole in the text."""
    data = text.data
    seq_end, plus = text.line(pos)
    if data[plus : plus + 1] != b"+":
        return False
    _, qual = text.line(plus)
    end = qual + seq_end - pos
    if end > len(data) or (end == len(data) and not text.at_end):
        return False
    if data[end : end + 1] == b"\n":
        record.next = end + 1
    elif data[end : end + 2] == b"\r\n":
        record.next = end + 2
    elif end == len(data) and data[-1] != 10:
        record.next = end
    else:
        return False
    _check_plus(text, record, header_end, plus, 2)
    record.seq = record.letters = data[pos:seq_end]
    record.qual = data[qual:end]
    return True


def _read_fastq(text: _Text, record: _Record, header_end: int, pos: int) -> None:
    if _four_lines(text, record, header_end, pos):
        return
    record.seq, pos, line = _join_lines(text, pos, 43)
    record.letters, need, qual = record.seq, len(record.seq), b""
    one_line = line == 2
    pos = _check_plus(text, record, header_end, pos, line)
    while len(qual) < need:
        line += 1
        if pos >= len(text.data):
            raise text.ran_out(line, need, len(qual))
        end, after = text.line(pos)
        if not text.whole(after):
            raise _More
        qual += text.data[pos:end]
        if len(qual) < need and after >= len(text.data) and text.data[-1] != 10:
            raise text.ran_out(line, need, len(qual))
        if len(qual) > need or (one_line and len(qual) < need):
            raise _Bad(_LENGTHS, line, -1, need, len(qual))
        pos = after
    if need == 0:
        if pos >= len(text.data) and not text.at_end:
            raise _More
        end, after = text.line(pos)
        if not text.whole(after):
            raise _More
        pos = after if end == pos else pos
    record.qual, record.next = qual, pos


def _line_of(text: _Text, record: _Record, at: int, *, in_quality: bool) -> int:
    """Line of the record where letter `at` of its sequence or quality stands."""
    _, pos = text.line(record.start)
    line, seen, skip = 1, 0, in_quality
    while True:
        end, after = text.line(pos)
        if skip:
            skip = text.data[pos] != 43
        else:
            for byte in text.data[pos:end]:
                if record.qual is not None or byte not in _BLANKS:
                    if seen == at:
                        return line
                    seen += 1
            if after >= len(text.data):
                return line
        pos, line = after, line + 1


def _check(text: _Text, record: _Record, scanner: Asked) -> float:
    """Letters, then qualities; returns the mean quality, NaN without."""
    upper = record.seq.upper()
    record.gc = upper.count(b"G") + upper.count(b"C")
    record.acgt = record.gc + sum(upper.count(letter) for letter in (b"A", b"T", b"U"))
    if record.acgt != len(record.seq):
        if record.qual is None:
            record.seq = record.seq.translate(None, _BLANKS)
        for i, byte in enumerate(record.seq):
            if _CODE[byte] == 255 and byte not in _OTHER:
                line = _line_of(text, record, i, in_quality=False)
                raise _Bad(_LONE_CR if byte == 13 else _LETTER, line, byte, 0, 0)
    return math.nan if record.qual is None else _mean_quality(text, record, scanner.error)


def _mean_quality(text: _Text, record: _Record, error: Array) -> float:
    qual = record.qual or b""
    for i, byte in enumerate(qual):
        if not 33 <= byte <= 126:
            line = _line_of(text, record, i, in_quality=True)
            raise _Bad(_LONE_CR if byte == 13 else _QUALITY, line, byte, 0, 0)
    total = 0.0
    for quality in range(94):
        total += float(qual.count(33 + quality)) * float(error[quality])
    return float(np.float32(phred(total / len(qual)))) if qual else math.nan


def phred(p: float) -> float:
    """-10 log10(p) for p in (0, 1], step by step as scan.c does it."""
    m, exponent = math.frexp(p)
    if m < 0.70710678118654752:
        m, exponent = m * 2, exponent - 1
    s = (m - 1) / (m + 1)
    square, series = s * s, 0.0
    for i in range(23, 0, -2):
        series = series * square + 1.0 / i
    return (2 * s * series + exponent * _LN2) * _PER_LN


def _dropped_by(scanner: Asked, record: _Record, quality: float) -> int | None:
    cut, n = scanner.cut, len(record.seq)
    if n < cut.min_length:
        return 0
    if record.qual is not None and cut.min_mean_quality > 0 and not quality >= cut.min_mean_quality:
        return 1
    return 2 if float(n - record.acgt) > cut.max_n_share * float(n) else None


def _take(scanner: Asked, found: _Found, record: _Record, quality: float) -> None:
    taken_by = _dropped_by(scanner, record, quality)
    if taken_by is not None:
        found.dropped[taken_by] += 1
    else:
        gc = record.gc / record.acgt if record.acgt else 0.0
        flags, features = _features(scanner, record.seq)
        n = len(record.seq)
        place = (record.start, record.next, found.records, _hash(record.id), len(record.id))
        found.rows.append((*place, n, n - record.acgt, flags, gc, quality))
        found.ids.append(record.id)
        found.features.append(features)
        found.bases_out += n
    found.records += 1
    found.bases_in += len(record.seq)


def _hash(data: bytes) -> int:
    value = 14695981039346656037
    for byte in data:
        value = (value ^ byte) * 1099511628211 % 2**64
    return value


def _features(scanner: Asked, seq: bytes) -> tuple[int, Array]:
    """Flags, and float32 (3, dim): first half, second half, whole."""
    p = scanner.profiles
    if p.k == 0:
        return 0, np.zeros((3, 0), np.float32)
    n, half = len(seq), len(seq) // 2
    border = seq[max(0, half - p.k + 1) : n - half + p.k - 1]
    parts = np.stack([_count(seq[:half], p), _count(seq[n - half :], p), _count(border, p)])
    counts = np.stack([parts[0], parts[1], parts.sum(axis=0)])
    totals = counts.sum(axis=1)
    flags = int(ReadFlag.NO_KMERS) if totals[2] == 0 else 0
    if totals[0] == 0 or totals[1] == 0:
        flags |= int(ReadFlag.HALF_EMPTY)
    divisors = np.maximum(totals, 1)[:, None]
    if p.basis is None:
        return flags, (counts.astype(np.float64) / divisors.astype(np.float64)).astype(np.float32)
    sums = np.zeros((3, p.dim), np.float32)
    for j in range(len(p.kmers)):
        sums += parts[:, j, None].astype(np.float32) * p.basis[j, : p.dim]
    sums[2] += sums[0] + sums[1]  # the whole is not projected again
    return flags, sums / divisors.astype(np.float32)


def _count(seq: bytes, p: Any) -> Array:
    """Canonical counts; int64 (canonical,)."""
    codes = _CODE[np.frombuffer(seq, np.uint8)].astype(np.int64)
    table = np.zeros(4**p.k + 1, np.int64)
    n = len(codes) - p.k + 1
    if n > 0:
        windows = np.lib.stride_tricks.sliding_window_view(codes, p.k)
        valid = windows[(windows < 4).all(axis=1)]
        places = valid @ (4 ** np.arange(p.k - 1, -1, -1))
        table[:-1] = np.bincount(places, minlength=4**p.k)
    counts: Array = table[p.forward] + table[p.reverse]
    return counts


def _batch(scanner: Asked, found: _Found, status: int, next_pos: int, fault: tuple[int, ...] | None) -> Batch:
    dim = scanner.profiles.dim
    features = np.stack(found.features, axis=1) if found.features else np.zeros((3, 0, dim), np.float32)
    return Batch(
        status=Status(status),
        next=next_pos,
        rows=np.array(found.rows, ROW),
        ids=np.frombuffer(b"".join(found.ids), np.uint8),
        whole=features[2],
        halves=features[:2],
        records=found.records,
        bases_in=found.bases_in,
        bases_out=found.bases_out,
        dropped=(found.dropped[0], found.dropped[1], found.dropped[2]),
        fault=None if fault is None else Fault(Wrong(fault[0]), *fault[1:]),
    )
