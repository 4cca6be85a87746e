"""A large FASTQ of long reads for speed tests: lognormal lengths, plausible qualities, deterministic, fast to make."""

from __future__ import annotations

from pathlib import Path

import numpy as np

MEAN_LENGTH, TILE_BYTES = 8000, 64 << 20


def write_long_reads(path: Path, size_bytes: int, *, seed: int = 1) -> int:
    """Write at least `size_bytes` of FASTQ to `path` and return the bytes written; content repeats every 64 MiB."""
    rng = np.random.default_rng(seed)
    tile = _tile(rng)
    written = 0
    with path.open("wb") as handle:
        while written < size_bytes:
            written += handle.write(tile)
    return written


def _tile(rng: np.random.Generator) -> bytes:
    records, size = [], 0
    while size < TILE_BYTES:
        length = max(200, int(rng.lognormal(np.log(MEAN_LENGTH) - 0.125, 0.5)))
        bases = np.frombuffer(b"ACGT", np.uint8)[rng.integers(0, 4, length)].tobytes()
        quality = (33 + np.clip(rng.normal(18, 6, length), 2, 40)).astype(np.uint8).tobytes()
        records.append(b"@read%d ch=7 start=2026\n%s\n+\n%s\n" % (len(records), bases, quality))
        size += len(records[-1])
    return b"".join(records)
