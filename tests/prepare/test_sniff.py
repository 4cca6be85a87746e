"""What a file is, told by its content; and records that are refused, in words that help."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from isthmus.core.errors import BadRecord, InvalidInput
from isthmus.prepare.sniff import sniff

GOOD = b"@a x\nACGT\n+\nIIII\n"


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"BZh91AY", "bunzip2"),
        (b"\xfd7zXZ\x00", "xzcat"),
        (b"\x28\xb5\x2f\xfd", "zstd -d"),
        (b"\x04\x22\x4d\x18", "lz4 -d"),
        (b"\x1f\x9d\x90", "uncompress"),
        (b"PK\x03\x04", "unzip"),
        (b"CRAM\x03", "samtools fastq"),
        (gzip.compress(b"BAM\x01"), "samtools fastq"),
        (gzip.compress(gzip.compress(GOOD)), "gzip within gzip"),
        (b"@HD\tVN:1.6\n", "SAM file"),
        (b"@SQ\tSN:1\tLN:5\n", "SAM file"),
        (b"NCBI.sra", "fasterq-dump"),
        (b"\x89HDF\r\n\x1a\n", "basecall"),
        (b"\x89PNG\r\n\x1a\n\0\0", "PNG image"),
        (b"\xff\xfe@\0a\0", "UTF-16"),
        (b"LOCUS       X", "GenBank"),
        (b"Dear reader,\nthis is no FASTQ.\n", "found 'Dear reader,'; expected a FASTQ file"),
        (b"\x00\x01\x02\x03" * 50, "binary data"),
        (b"\n\n\r\n", "only blank lines"),
        (b"# a comment\n@a\nACGT\n+\nIIII\n", "expected a FASTQ file"),
        (b">a\rACGT\r", "tr '"),
    ],
)
def test_what_it_is_not_is_named(head: bytes, says: str, tmp_path: Path) -> None:
    """Each kind of file that is no FASTQ or FASTA has its own words, and the next step."""
    path = tmp_path / "reads.fastq"
    path.write_bytes(head)

    with pytest.raises(InvalidInput) as caught:
        sniff(path)

    assert says in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "format", "body"),
    [
        (GOOD, "fastq", 0),
        (b"\xef\xbb\xbf" + GOOD, "fastq", 3),
        (b"\n\r\n" + GOOD, "fastq", 3),
        (b"; old\n# style\n>a\nACGT\n", "fasta", 14),
    ],
)
def test_format_and_first_record(text: bytes, format: str, body: int, tmp_path: Path) -> None:
    """Both formats, plain and gzip, and where the records begin."""
    (tmp_path / "plain").write_bytes(text)
    (tmp_path / "zipped").write_bytes(gzip.compress(text))

    kinds = [sniff(tmp_path / name) for name in ("plain", "zipped")]

    assert [(kind.format, kind.compression, kind.body) for kind in kinds] == [
        (format, "plain", body),
        (format, "gzip", body),
    ]


@pytest.mark.parametrize(
    ("record", "line", "found"),
    [
        (b"@b\xc3\xa9\nACGT\n+\nIIII\n", 5, "byte 0xc3 in the read's name"),
        (b"@b\x00\nACGT\n+\nIIII\n", 5, "byte 0x00 in the read's name"),
        (b"@b x\x00\nACGT\n+\nIIII\n", 5, "byte 0x00 in the read's name"),
        (b"@b\nAC\xe9T\n+\nIIII\n", 6, "byte 0xe9 in the sequence"),
        (b"@b\nAC T\n+\nIIII\n", 6, "byte 0x20 in the sequence"),
        (b"@b\nAC\rT\n+\nIIII\n", 6, "a carriage return within a line"),
        (b"@b\nT0123\n+\nIIIII\n", 6, "'0' in the sequence, as in colour-space reads"),
        (b"@b\nACGT\n+\nII\x07I\n", 8, "byte 0x07 among the qualities"),
        (b"@b\nACGT\n+c\nIIII\n", 7, "a '+' line that names another read"),
        (b"@b\nACGT\n+\nIII\n", 8, "4 letters and 3 qualities"),
        (b"@b\nACGT\n+\nIIIII\n", 8, "4 letters and 5 qualities"),
        (b"b\nACGT\n+\nIIII\n", 5, "a line that begins with 'b'"),
        (b"@b\nACGT\nACGT\n+\nIIII\nIII", 10, "the end of the file within a record (8 letters and 7 qualities)"),
        (b"@b\nACGT\n@c\nACGT\n+\nIIII\n", 7, "the next record's '@' line"),
        (b"@b\nAC", 7, "the end of the file within a record"),
    ],
)
def test_bad_record_is_named_with_its_line(record: bytes, line: int, found: str, tmp_path: Path, embed: Any) -> None:
    """The second record of a file: number 2, its line, what stands there."""
    path = tmp_path / "a.fastq"
    path.write_bytes(GOOD + record)

    with pytest.raises(BadRecord) as caught:
        embed(path)

    assert (caught.value.record, caught.value.line) == (2, line)
    assert found in caught.value.found
    assert caught.value.path == str(path)


@pytest.mark.parametrize("cut", range(1, len(GOOD)))
def test_file_cut_anywhere_is_never_read_short(cut: int, tmp_path: Path, embed: Any, lake: Any) -> None:
    """Two records, cut after any byte of the second: refused, unless only the newline is gone."""
    path = tmp_path / "a.fastq"
    path.write_bytes(GOOD + GOOD[:cut])

    if cut == len(GOOD) - 1:
        assert lake.read(embed(path)).commit.rows == 2
    else:
        with pytest.raises(BadRecord):
            embed(path)
