"""What a file is, by its content: format, compression, where its records begin; and clear words for what it is not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from isthmus.core.errors import BadRecord, InvalidInput
from isthmus.kernels.batch import FASTA, FASTQ
from isthmus.kernels.scan import Scanner
from isthmus.prepare.text import open_source

HEAD_BYTES = 256 << 10

# First bytes, what it is, what to do.
_OTHER_KINDS = (
    (b"BZh", "a bzip2 file", "decompress it with bunzip2, or turn it into gzip: bzcat FILE | gzip > FILE.gz"),
    (b"\xfd7zXZ\x00", "an xz file", "decompress it with unxz, or turn it into gzip: xzcat FILE | gzip > FILE.gz"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", "decompress it with zstd -d, or pipe it: zstd -dc FILE | isthmus run -"),
    (b"\x04\x22\x4d\x18", "an LZ4 file", "decompress it with lz4 -d"),
    (b"\x1f\x9d", "a Unix compress (.Z) file", "decompress it with uncompress"),
    (b"LZIP", "an lzip file", "decompress it with lzip -d"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-zip archive", "unpack it with 7z x"),
    (b"PK\x03\x04", "a zip archive", "unpack it with unzip"),
    (b"BAM\x01", "a BAM file", "turn it into FASTQ: samtools fastq FILE | isthmus run -"),
    (b"CRAM", "a CRAM file", "turn it into FASTQ: samtools fastq FILE | isthmus run -"),
    (b"NCBI.sra", "an SRA archive", "turn it into FASTQ: fasterq-dump FILE"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (fast5?)", "basecall it first; isthmus reads FASTQ and FASTA"),
    (b"\x8bPOD\r\n\x1a\n", "a POD5 file", "basecall it first (dorado); isthmus reads FASTQ and FASTA"),
    (b"\x89PNG", "a PNG image", "name a FASTQ or FASTA file"),
    (b"%PDF", "a PDF document", "name a FASTQ or FASTA file"),
    (b"\x1f\x8b", "gzip within gzip", "decompress it once: gzip -dc FILE > FILE.once.gz"),
    (b"\xff\xfe", "UTF-16 text", "turn it into ASCII: iconv -f UTF-16 -t ASCII FILE > NEW"),
    (b"\xfe\xff", "UTF-16 text", "turn it into ASCII: iconv -f UTF-16 -t ASCII FILE > NEW"),
    (b"LOCUS ", "a GenBank file", "turn it into FASTA, for instance with seqret or Biopython"),
    (b"ID   ", "an EMBL file", "turn it into FASTA, for instance with seqret or Biopython"),
    (b"CLUSTAL", "a Clustal alignment", "turn it into FASTA without gaps"),
)
_SAM_HEADER = re.compile(rb"@(HD|SQ|RG|PG|CO)\t")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Kind:
    """What a file is: compression is plain, gzip or bgzf; `body` the text offset behind BOM, comments, blank lines."""

    format: str
    compression: str
    body: int
    warnings: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        return FASTQ if self.format == "fastq" else FASTA


def sniff(path: Path, *, name: str | None = None) -> Kind:
    """Look at the first 256 KiB of the text of `path`. Raises InvalidInput, or BadRecord for its first line."""
    name = name or str(path)
    with path.open("rb") as file:
        raw = file.read(64)
        size = file.seek(0, 2)
    if not raw:
        raise InvalidInput(
            f"{name}: found an empty file; expected FASTQ or FASTA; take it off the list or make it again"
        )
    compression = _compression(raw)
    if compression == "plain":
        _refuse_other_kinds(raw, name)
    head = _head(path, compression)
    if not head:
        raise InvalidInput(f"{name}: found a gzip file of nothing; expected FASTQ or FASTA; make it again")
    _refuse_other_kinds(head, name)
    warnings = []
    if compression == "bgzf" and not _has_bgzf_end(path, size):
        warnings.append(
            f"{name}: the BGZF end marker is missing; its data are whole, but the file may have been cut there"
        )
    if head.startswith(_BOM):
        warnings.append(f"{name}: a UTF-8 byte order mark before the first record was skipped")
    body = _body(head, name)
    text_format = _format(head, body, name)
    if text_format == "fastq" and _looks_like_phred64(head, body):
        warnings.append(f"{name}: its qualities look like Phred+64 of old Illumina files; they were read as Phred+33")
    return Kind(text_format, compression, body, tuple(warnings))


def _compression(raw: bytes) -> str:
    if not raw.startswith(b"\x1f\x8b"):
        return "plain"
    return "bgzf" if len(raw) >= 18 and raw[3] & 4 and raw[12:16] == b"BC\x02\x00" else "gzip"


def _head(path: Path, compression: str) -> bytes:
    buffer = bytearray(HEAD_BYTES)
    with open_source(path, compression) as source:
        n = source.read_into(memoryview(buffer))
    return bytes(buffer[:n])


def _refuse_other_kinds(head: bytes, name: str) -> None:
    for magic, what, todo in _OTHER_KINDS:
        if head.startswith(magic):
            raise InvalidInput(f"{name}: found {what}; expected FASTQ or FASTA, plain or gzip; {todo}")
    if _SAM_HEADER.match(head):
        raise InvalidInput(
            f"{name}: found a SAM file; expected FASTQ or FASTA, plain or gzip; turn it into FASTQ: samtools fastq FILE"
        )


def _body(head: bytes, name: str) -> int:
    """Offset of the first record: behind a BOM, blank lines, and the comment lines (`#`, `;`) of old FASTA files."""
    pos = len(_BOM) if head.startswith(_BOM) else 0
    while pos < len(head):
        end = head.find(b"\n", pos)
        end = len(head) if end < 0 else end
        line = head[pos:end].rstrip(b"\r")
        if line and line[:1] not in (b"#", b";"):
            return pos
        pos = end + 1
    raise InvalidInput(f"{name}: found no record, only blank lines or comments; expected FASTQ or FASTA; make it again")


def _format(head: bytes, body: int, name: str) -> str:
    first = head[body : body + 4096]
    if b"\r" in first and b"\n" not in head:
        raise BadRecord(
            name,
            record=1,
            line=1,
            found="carriage returns alone as line ends (old Mac OS)",
            expected="lines that end in a newline",
            todo="convert the file: tr '\\r' '\\n' < FILE > NEW",
        )
    mark = first[:1]
    if mark == b">" or (mark == b"@" and not any(line[:1] in (b"#", b";") for line in head[:body].split(b"\n"))):
        return "fasta" if mark == b">" else "fastq"
    line = head[:body].count(b"\n") + 1
    if b"\0" in head or sum(byte < 9 or 13 < byte < 32 for byte in first) > len(first) // 20:
        found = f"binary data ({first[:8]!r})"
    else:
        found = repr(first.splitlines()[0][:40].decode("ascii", "backslashreplace"))
    raise BadRecord(
        name,
        line=line,
        found=found,
        expected="a FASTQ file ('@' first) or a FASTA file ('>' first), plain or gzip",
        todo="name a file of sequencing reads",
    )


def _has_bgzf_end(path: Path, size: int) -> bool:
    """SAM specification 4.1.2: a BGZF file ends in an empty block of these 28 bytes."""
    end = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
    with path.open("rb") as file:
        file.seek(max(0, size - len(end)))
        return file.read() == end


def _looks_like_phred64(head: bytes, body: int) -> bool:
    """No quality below ';' in the first records, and some above 'T': too good for Phred+33, usual for Phred+64."""
    text = np.frombuffer(head, np.uint8)
    batch = Scanner(FASTQ, "none").scan(text, body, len(text), at_end=False)
    lows, highs = [], []
    for row in batch.rows[:2000]:
        if row["length"]:
            qualities = head[row["start"] : row["end"]].rstrip()[-int(row["length"]) :]
            lows.append(min(qualities))
            highs.append(max(qualities))
    return bool(lows) and min(lows) >= 59 and max(highs) >= 84
