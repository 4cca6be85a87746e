"""Arrays: shards are plain .npy, rows come back exactly, and damage is named."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isthmus.backbone.arrays import (
    ArrayView,
    HalvesView,
    HalvesWriter,
    Manifest,
    RowWriter,
    Shard,
    open_halves,
    open_rows,
    read_manifest,
    write_manifest,
)
from isthmus.backbone.npy import HEADER_BYTES, npy_header
from isthmus.core.errors import Bug, Corrupt, InvalidInput, NotFound


def write_rows(path: Path, rows: np.ndarray, block: int = 3) -> tuple[Path, int]:
    with RowWriter(path, rows.shape[1]) as writer:
        for at in range(0, len(rows), block):
            writer.append(rows[at : at + block])
    return path, len(rows)


def write_halves(path: Path, halves: np.ndarray, block: int = 3) -> tuple[Path, int]:
    with HalvesWriter(path, halves.shape[2]) as writer:
        for at in range(0, halves.shape[1], block):
            writer.append(halves[:, at : at + block])
    return path, halves.shape[1]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(0, 5), max_size=5), dim=st.integers(1, 4), data=st.data())
def test_any_range_of_rows_over_any_shards_equals_numpy(
    tmp_path: Path, sizes: list[int], dim: int, data: st.DataObject
) -> None:
    """Any slice over any list of shards, empty ones too, equals the slice of the whole array."""
    whole = np.arange(sum(sizes) * dim, dtype="<f4").reshape(-1, dim)
    both = np.stack([whole, -whole])
    borders = np.cumsum([0, *sizes])
    shards = [write_rows(tmp_path / f"{i}.npy", whole[borders[i] : borders[i + 1]], 2) for i in range(len(sizes))]
    halves = [write_halves(tmp_path / f"h{i}.npy", both[:, borders[i] : borders[i + 1]]) for i in range(len(sizes))]
    lo = data.draw(st.integers(0, len(whole)))
    hi = data.draw(st.integers(lo, len(whole)))

    view, halves_view = ArrayView(shards, dim), HalvesView(halves, dim)

    assert np.array_equal(view[lo:hi], whole[lo:hi])
    assert np.array_equal(np.asarray(view), whole)
    assert np.array_equal(halves_view[:, lo:hi], both[:, lo:hi])
    assert np.array_equal(halves_view[1, lo:hi], both[1, lo:hi])
    assert np.array_equal(np.asarray(halves_view), both)
    assert view.shape == whole.shape
    assert halves_view.shape == both.shape
    if sizes:
        assert np.array_equal(open_rows(shards, lo, hi - lo), whole[lo:hi])
        assert np.array_equal(open_halves(halves, lo, hi - lo), both[:, lo:hi])


def test_view_indexes_like_numpy(tmp_path: Path) -> None:
    """Single rows, negative rows, lists, masks and steps give what numpy gives."""
    whole = np.random.default_rng(1).random((11, 3), dtype="<f4")
    view = ArrayView([write_rows(tmp_path / "a.npy", whole[:4]), write_rows(tmp_path / "b.npy", whole[4:])], 3)
    mask = np.arange(11) % 2 == 0

    for key in (
        0,
        5,
        -1,
        [9, 0, 4, 4],
        np.array([-1, 3]),
        mask,
        slice(None, None, 3),
        slice(-3, None),
        slice(8, 2, -2),
    ):
        assert np.array_equal(view[key], whole[key]), key
    assert np.array_equal(view[2:7, 1], whole[2:7, 1])
    with pytest.raises(IndexError, match="11 rows"):
        view[11]


def test_shard_is_plain_npy_with_fixed_header(tmp_path: Path) -> None:
    """np.load reads a shard, and its data begin at byte 128."""
    rows = np.random.default_rng(2).random((7, 5), dtype="<f4")

    path, _ = write_rows(tmp_path / "x.npy", rows)

    assert np.array_equal(np.load(path), rows)
    assert path.read_bytes()[HEADER_BYTES:] == rows.tobytes()


def test_header_has_room_for_any_shape(tmp_path: Path) -> None:
    """A shape of 18-digit numbers still fits the fixed header."""
    header = npy_header(np.dtype("<f4"), (2, 10**18, 10**18))

    assert len(header) == HEADER_BYTES
    assert header.endswith(b"\n")


def test_rows_within_one_shard_are_mapped_not_copied(tmp_path: Path) -> None:
    """A slice within one shard is a read-only memory map."""
    shards = [
        write_rows(tmp_path / "x.npy", np.ones((9, 2), "<f4")),
        write_rows(tmp_path / "y.npy", np.ones((9, 2), "<f4")),
    ]

    inside, across = ArrayView(shards, 2)[3:8], ArrayView(shards, 2)[8:10]

    assert isinstance(inside, np.memmap)
    assert not inside.flags.writeable
    assert not isinstance(across, np.memmap)


def test_writer_leaves_nothing_when_the_block_fails(tmp_path: Path) -> None:
    """An error inside the block leaves neither the file nor a temporary one."""
    for writer in (RowWriter, HalvesWriter):
        with pytest.raises(RuntimeError), writer(tmp_path / "x.npy", 2):
            raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_wrong_shape_is_refused(tmp_path: Path) -> None:
    """Rows of another width are a Bug that names both shapes."""
    with pytest.raises(Bug, match=r"\(2, 3\).*\(n, 2\)"), RowWriter(tmp_path / "x.npy", 2) as writer:
        writer.append(np.ones((2, 3), "<f4"))


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda p: p.unlink(), "found no file"),
        (lambda p: os.truncate(p, p.stat().st_size - 1), "167 bytes; expected 168 bytes"),
        (lambda p: p.write_bytes(p.read_bytes() + b"x"), "169 bytes; expected 168 bytes"),
        (lambda p: p.write_bytes(b""), "no .npy header"),
        (lambda p: p.write_bytes(b"\0" * 200), "no .npy header"),
        (lambda p: np.save(p, np.ones((4, 2), "<f4")), r"shape \(4, 2\); expected 5 rows"),
        (lambda p: np.save(p, np.ones((5, 3), "<f4")), "3 columns of <f4; expected 2 columns"),
        (lambda p: np.save(p, np.ones((5, 2), "<f8")), "columns of <f8"),
        (lambda p: np.save(p, np.asfortranarray(np.ones((5, 2), "<f4"))), "Fortran order"),
    ],
)
def test_damaged_shard_is_named(tmp_path: Path, damage, words: str) -> None:
    """A missing, cut, longer or foreign shard raises Corrupt with file, found and expected."""
    path, rows = write_rows(tmp_path / "x.npy", np.ones((5, 2), "<f4"))
    damage(path)

    with pytest.raises(Corrupt, match=words) as caught:
        ArrayView([(path, rows)], 2)[0:1]

    assert str(path) in str(caught.value)


def test_rows_out_of_range_are_refused(tmp_path: Path) -> None:
    """open_rows past the end names both numbers."""
    shards = [write_rows(tmp_path / "x.npy", np.ones((5, 2), "<f4"))]

    with pytest.raises(InvalidInput, match="rows 3 to 6 of an array of 5 rows"):
        open_rows(shards, 3, 3)


def test_manifest_round_trip(tmp_path: Path) -> None:
    """A manifest reads back equal, and the file says its format."""
    shard = Shard("0.npy", 3, "ab" * 16)
    manifest = Manifest("<f4", 2, 3, (shard,), (Shard("h0.npy", 3, "cd" * 16),), {"name": "kernel", "k": 4})

    path = write_manifest(tmp_path, manifest)

    assert read_manifest(path) == manifest
    assert '"format": "isthmus-array/1"' in path.read_text()


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("{}", InvalidInput, "format None"),
        ('{"format": "isthmus-array/9"}', InvalidInput, "isthmus-array/9.*isthmus-array/1"),
        ('{"format": "isthmus-array/1", "dtype": "<f4"}', Corrupt, "does not hold together"),
        ("{", Corrupt, "not valid JSON"),
    ],
)
def test_bad_manifest_is_refused(tmp_path: Path, text: str, error: type[Exception], words: str) -> None:
    """Another format, missing keys and broken JSON each get their own error."""
    path = tmp_path / "manifest.json"
    path.write_text(text)

    with pytest.raises(error, match=words):
        read_manifest(path)


def test_missing_manifest_is_not_found(tmp_path: Path) -> None:
    """No manifest raises NotFound."""
    with pytest.raises(NotFound):
        read_manifest(tmp_path / "manifest.json")


def test_manifest_whose_rows_do_not_add_up_is_refused() -> None:
    """Rows must be the sum of the shards, and halves must match them."""
    with pytest.raises(Bug):
        Manifest("<f4", 2, 4, (Shard("0.npy", 3, ""),))
    with pytest.raises(Bug):
        Manifest("<f4", 2, 3, (Shard("0.npy", 3, ""),), (Shard("h.npy", 2, ""),))


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from isthmus.backbone.arrays import HalvesWriter, RowWriter
from isthmus.core.errors import WontFit
folder = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
for writer, block in ((RowWriter, np.ones((1000, 10), '<f4')), (HalvesWriter, np.ones((2, 1000, 10), '<f4'))):
    for blocks in (4, 100):  # fails only when the halves are joined, or when the buffer is flushed
        try:
            with writer(folder / 'x.npy', 10) as out:
                for _ in range(blocks):
                    out.append(block)
        except WontFit as error:
            assert 'no space left' in str(error), error
        else:
            assert blocks == 4 and writer is RowWriter or (blocks, writer) == (4, HalvesWriter)
            (folder / 'x.npy').unlink()
assert list(folder.iterdir()) == [], list(folder.iterdir())
print('clean')
"""


def test_no_space_raises_and_leaves_nothing(tmp_path: Path) -> None:
    """Where the disk takes no more, both writers raise WontFit and leave no file."""
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, check=False)

    assert done.stdout == "clean\n", done.stderr


MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
from isthmus.backbone.arrays import HalvesWriter
block = np.ones((2, 2000, 100), '<f4')
def peak(blocks):
    with HalvesWriter(Path(sys.argv[1]) / 'h.npy', 100) as out:
        for _ in range(blocks):
            out.append(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
small = peak(2)
print((peak(60) - small) // 1024)
"""


def test_halves_are_written_in_constant_memory(tmp_path: Path) -> None:
    """Writing 96 MB of halves takes less than 16 MiB more memory than writing 3 MB."""
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0
    done = subprocess.run([sys.executable, "-c", MEMORY, str(tmp_path)], capture_output=True, text=True, check=True)

    assert int(done.stdout) < 16
