"""A lake to embed into, and FASTQ to embed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isthmus.backbone.lake import Lake
from isthmus.core.progress import Silent
from isthmus.core.ref import Name, Ref
from isthmus.prepare import embedding, sources
from isthmus.prepare.cleaning import Cleaning

Embed = Callable[..., Ref]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.open(tmp_path / "lake")


@pytest.fixture
def embed(lake: Lake) -> Embed:
    """embed(path, ..., into=, workers=, part_bytes=, with_=, mem_bytes=, cleaning fields) -> Ref."""

    def call(
        *words: Path | str, into: str = "gut.reads", workers: int = 1, mem_bytes: int = 1 << 30, **more: Any
    ) -> Ref:
        files = sources.find_sources(
            [str(w) for w in words], spool=lake.scratch / "spool", cache=lake.scratch / "cache"
        )
        given = {key: more.pop(key) for key in ("part_bytes", "with_") if key in more}
        plan = embedding.make_plan(files, into=Name.parse(into), cleaning=Cleaning(**more), **given)
        return embedding.embed(plan, lake, workers=workers, mem_bytes=mem_bytes, progress=Silent())

    return call


class Texts:
    """Makes texts to embed."""

    @staticmethod
    def reads(n: int, mean_length: int, *, seed: int) -> list[tuple[str, str, str]]:
        """(name, sequence, quality) of `n` reads of 1 to 2 x mean_length bases; qualities have '@' and '+' in them."""
        rng = np.random.default_rng(seed)
        out = []
        for i, length in enumerate(rng.integers(1, 2 * mean_length, n).tolist()):
            seq = rng.choice(list("ACGT"), length)
            qual = rng.integers(33, 75, length).astype(np.uint8).tobytes().decode()
            out.append((f"read_{i} ch={i % 7}", "".join(seq), qual))
        return out

    @staticmethod
    def fastq(reads: Sequence[tuple[str, str, str]], *, width: int | None = None) -> bytes:
        lines = []
        for name, seq, qual in reads:
            lines += ["@" + name, *fold(seq, width), "+", *fold(qual, width)]
        return ("\n".join(lines) + "\n").encode()

    @staticmethod
    def fasta(reads: Sequence[tuple[str, str, str]], *, width: int | None = 80) -> bytes:
        lines = []
        for name, seq, _ in reads:
            lines += [">" + name, *fold(seq, width)]
        return ("\n".join(lines) + "\n").encode()


def fold(text: str, width: int | None) -> list[str]:
    return [text] if width is None else [text[i : i + width] for i in range(0, len(text), width)]


@pytest.fixture(scope="session")
def texts() -> Texts:
    return Texts()
