"""Explaining a bad record: its number, its line, what was found, what should stand there, and what to do."""

from __future__ import annotations

from pathlib import Path

from isthmus.core.errors import BadRecord
from isthmus.kernels.batch import FASTA, Fault, Wrong
from isthmus.kernels.scan import Scanner
from isthmus.prepare.compute import BadText, scan_on
from isthmus.prepare.parts import Task
from isthmus.prepare.text import Window, open_source


def explain(task: Task) -> BadRecord | None:
    """Read the file of `task` from its beginning and explain its first bad record; None: there is none."""
    scanner = Scanner(task.format, "none")
    with open_source(Path(task.path), task.compression) as source:
        window = _CountingWindow(source, limit_bytes=task.limit_bytes, name=task.name)
        window.skip_to(task.body)
        records = 0
        try:
            for batch in scan_on(scanner, window, task.file, end=None):
                records += batch.records
        except BadText as error:
            start = error.fault.start
            records += error.records
            line = window.lines + int(_newlines(window, start)) + error.fault.line + 1
            return bad_record(task, error.fault, record=records + 1, line=line)
    return None


class _CountingWindow(Window):
    """A window that counts the newlines of what it drops."""

    def __init__(self, source: object, *, limit_bytes: int, name: str) -> None:
        super().__init__(source, base=0, limit_bytes=limit_bytes, name=name)  # type: ignore[arg-type]
        self.lines = 0

    def more(self) -> None:
        self.lines += _newlines(self, self.lo)
        super().more()


def _newlines(window: Window, end: int) -> int:
    return int((window.buffer[:end] == 10).sum())


def bad_record(task: Task, fault: Fault, *, record: int, line: int) -> BadRecord:
    """The words for `fault`."""
    found, expected, todo = _words(fault, fasta=task.format == FASTA)
    return BadRecord(task.name, record=record, line=line, found=found, expected=expected, todo=todo)


MEND = "mend or remove this record, then run the same command again"


def _words(fault: Fault, *, fasta: bool) -> tuple[str, str, str]:
    what = _byte(fault.byte)
    if fault.wrong is Wrong.LETTER:
        return _letter_words(fault, what, fasta=fasta)
    mark = "'>'" if fasta else "'@'"
    lengths = f"{fault.a:,} letters and {fault.b:,} qualities"
    cut = "the file was cut, or is still being written; fetch or copy it again"
    table = {
        Wrong.BAD_START: (f"a line that begins with {what}", f"a record, which begins with {mark}", MEND),
        Wrong.CUT: (f"the end of the file within a record ({lengths})", "a whole record", cut),
        Wrong.LENGTHS: (lengths, "as many qualities as letters", MEND),
        Wrong.QUALITY: (f"{what} among the qualities", "characters from '!' to '~' (33 to 126)", MEND),
        Wrong.PLUS_NAME: ("a '+' line that names another read", "'+' alone, or with this read's name", MEND),
        Wrong.NAME: (
            f"{what} in the read's name",
            "printable ASCII",
            "rename this read, then run the same command again",
        ),
        Wrong.LONE_CR: (
            "a carriage return within a line",
            "lines that end in a newline",
            "convert the file: tr '\\r' '\\n' < FILE > NEW",
        ),
        Wrong.TOO_LONG: (f"a sequence of {fault.a:,} letters", "at most 2,147,483,647", "cut it into pieces"),
    }
    return table[fault.wrong]


def _letter_words(fault: Fault, what: str, *, fasta: bool) -> tuple[str, str, str]:
    expected = "nucleotide letters (A C G T U N, IUPAC codes, '-', '.' or '*')"
    letter = chr(fault.byte) if 0 <= fault.byte < 128 else ""
    if letter and letter in "0123456789":
        todo = "convert colour-space reads (SOLiD) to bases first; of a .qual file, give the .fasta that belongs to it"
        return f"{what} in the sequence, as in colour-space reads or quality files", expected, todo
    if letter and letter in "EFILPQZJOefilpqzjo" and fasta:
        return (
            f"{what} in the sequence, as in proteins",
            expected,
            "give nucleotide sequences: proteins cannot be used here",
        )
    if letter == "@" and not fasta:
        return "the next record's '@' line", "the rest of the sequence, then a line with '+'", MEND
    return f"{what} in the sequence", expected, MEND


def _byte(byte: int) -> str:
    return repr(chr(byte)) if 32 < byte < 127 else f"byte 0x{max(byte, 0):02x}"
