"""Raw inputs: from the words of a command to files with a fingerprint each."""

from __future__ import annotations

import glob
import os
import re
import stat
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import xxhash

from isthmus.backbone.checksum import fingerprint
from isthmus.core.errors import InvalidInput, NotFound
from isthmus.core.files import replacing
from isthmus.core.plan import FileInput

_BLOCK_BYTES = 1 << 20
_SUFFIX = re.compile(r"\.(gz|bgz|bgzf|fastq|fq|fasta|fa|fna|ffn|txt)$", re.IGNORECASE)


def find_sources(words: Sequence[str], *, spool: Path, cache: Path) -> list[FileInput]:
    """The files that `words` name: paths, globs (sorted) and `-`, in the order given.

    Standard input, pipes and devices are copied to `spool` first, under their checksum.
    Raises NotFound; InvalidInput for a folder, an empty file, one file named twice, or a name that tables cannot hold.
    """
    if list(words).count("-") > 1:
        raise InvalidInput("standard input (-) is named more than once; it can be read once only: give a single -")
    found: list[FileInput] = []
    seen: dict[tuple[int, int], str] = {}
    for word in words:
        for name in _expand(word):
            _refuse_bad_name(name)
            one = _spooled(name, spool) if _must_spool(name) else _regular(name, cache)
            facts = Path(one.path).stat()
            earlier = seen.setdefault((facts.st_dev, facts.st_ino), name)
            if earlier != name or any(other.source == one.source for other in found):
                raise InvalidInput(f"{name} is the same file as {earlier}; name each input once")
            found.append(one)
    if not found:
        raise InvalidInput("no input was named; give one or more FASTQ or FASTA files, or - for standard input")
    return found


def sample_of(name: str) -> str:
    """The sample that a file belongs to: its name without folder and `.fastq.gz` and the like."""
    sample = Path(name).name
    while (shorter := _SUFFIX.sub("", sample)) != sample and shorter:
        sample = shorter
    return sample


def _expand(word: str) -> Iterator[str]:
    if word == "-" or Path(word).exists() or not glob.has_magic(word):
        yield word
        return
    names = sorted(name for name in glob.glob(word, recursive=True) if not Path(name).is_dir())  # noqa: PTH207
    if not names:
        raise NotFound(f"no file matches {word!r}; look at the pattern, and at the folder where the command runs")
    yield from names


def _refuse_bad_name(name: str) -> None:
    """Names and folders stand in tables, logs and JSON: what those cannot hold on one line is refused."""
    path = os.path.join(Path.cwd(), name)  # noqa: PTH118 - a `Path` would hide what the user wrote
    text = os.fsencode(path).decode(errors="backslashreplace")
    controls = [c for c in text if unicodedata.category(c) in ("Cc", "Zl", "Zp")]
    if text == path and not controls:
        return
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    found = f"the control character {controls[0]!a}" if controls else "bytes that are not UTF-8"
    raise InvalidInput(f"{shown}: found {found} in the name; expected UTF-8 without control characters; rename it")


def _must_spool(name: str) -> bool:
    if name == "-":
        return True
    try:
        mode = Path(name).stat().st_mode
    except FileNotFoundError:
        raise NotFound(f"{name} does not exist; look at its name, and at the folder where the command runs") from None
    except OSError as error:
        raise InvalidInput(f"{name} cannot be opened ({error.strerror}); look at its name and permissions") from error
    if stat.S_ISDIR(mode):
        raise InvalidInput(f"{name} is a folder; name the files in it, for instance {str(Path(name) / '*.fastq.gz')!r}")
    return not stat.S_ISREG(mode)


def _regular(name: str, cache: Path) -> FileInput:
    path = Path(name).absolute()
    size = path.stat().st_size
    if size == 0:
        raise InvalidInput(
            f"{name}: found an empty file; expected FASTQ or FASTA; take it off the list or make it again"
        )
    if not os.access(path, os.R_OK):
        raise InvalidInput(f"{name} may not be read by this user; change its permissions")
    return FileInput(source=name, path=str(path), size=size, xxh3_128=fingerprint(path, cache), sample=sample_of(name))


def _spooled(name: str, spool: Path) -> FileInput:
    """Copy a stream to `spool`, named by its checksum, so that a restart finds it again."""
    if name == "-":
        return _copy(sys.stdin.buffer, name, spool, sample="stdin")
    with Path(name).open("rb") as stream:
        return _copy(stream, name, spool, sample=sample_of(name))


def _copy(stream: BinaryIO, name: str, spool: Path, *, sample: str) -> FileInput:
    digest, size = xxhash.xxh3_128(), 0
    incoming = spool / f"incoming-{os.getpid()}"
    with replacing(incoming) as copy:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
            copy.write(block)
            size += len(block)
    if size == 0:
        incoming.unlink()
        raise InvalidInput(f"{name}: found nothing on standard input; expected FASTQ or FASTA; look at what feeds it")
    path = spool / digest.hexdigest()
    incoming.replace(path)
    return FileInput(source=name, path=str(path.absolute()), size=size, xxh3_128=digest.hexdigest(), sample=sample)
