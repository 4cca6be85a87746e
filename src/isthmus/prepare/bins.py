"""Bins: the original records, unchanged, one file per cluster, with who is where and how much of each sample."""

from __future__ import annotations

import os
import secrets
import shutil
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from isthmus.backbone.checksum import fingerprint
from isthmus.backbone.lake import Lake
from isthmus.core.commit import Commit
from isthmus.core.errors import Conflict, Corrupt, InvalidInput, NotFound
from isthmus.core.files import disk_errors, fsync_folder
from isthmus.core.plan import FileInput
from isthmus.core.progress import Progress
from isthmus.core.ref import Ref
from isthmus.kernels.batch import Batch
from isthmus.kernels.scan import Scanner
from isthmus.prepare.compute import BadText, scan_on
from isthmus.prepare.sniff import Kind, sniff
from isthmus.prepare.text import BLOCK_BYTES, Window, open_source

UNASSIGNED = "unassigned"
_LIMIT_BYTES = 4 << 30  # of one record; embedding it took more
_OPEN_FILES = 96
_BUFFER_BYTES = 256 << 10

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class BinsSummary:
    """What was written: `reads` and `bases` count all of the input, unassigned and dropped reads included."""

    folder: Path
    bins: int
    files: tuple[str, ...]
    reads: int
    bases: int
    unassigned_reads: int
    unassigned_bases: int


def write_bins(lake: Lake, clusters: Ref, to: Path, *, progress: Progress) -> BinsSummary:
    """Stream the records behind the labels `clusters` from their original files into the new folder `to`.

    `bin_0000.fastq` (`.fasta` for records of FASTA files) and so on; `unassigned.fastq` has the reads of no cluster and
    those that cleaning dropped; `contig2bin.tsv` has id and bin of every assigned read, without a header (DAS Tool's
    form); `abundance.tsv` has reads, bp and share of the sample's bp for each bin and sample. Records keep their bytes;
    only a missing newline at the end of a file is added. The folder appears whole or not at all; memory is bounded.

    Raises: InvalidInput: `to` is there and not empty. NotFound, Conflict: an original file is gone or has changed.
            Corrupt: labels and files do not fit together. WontFit: no space.
    """
    _refuse_used(to)
    commit, labels = lake.read(clusters).commit, _Labels(lake, clusters)
    reads = _reads_commit(lake, commit)
    fresh = to.parent / f".{to.name}.{secrets.token_hex(4)}.tmp"
    with disk_errors(to.parent):
        fresh.mkdir(parents=True)
        try:
            with _Bins(fresh) as bins:
                _sort_files(reads, labels, bins, lake, progress)
            labels.check_all_used()
            summary = bins.finish(to)
            fresh.replace(to)
            fsync_folder(to.parent)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
    return summary


def _refuse_used(to: Path) -> None:
    if to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise InvalidInput(f"{to} is there already and not empty; choose another folder with --to, or remove it")


def _reads_commit(lake: Lake, commit: Commit) -> Commit:
    """The commit of raw files that the labels come from, through any number of products between."""
    while not any(isinstance(one, FileInput) for one in commit.inputs):
        refs = [one for one in commit.inputs if isinstance(one, Ref)]
        if not refs:
            raise InvalidInput(f"{commit.ref} does not come from raw files; bins need the original reads")
        commit = lake.read(refs[0]).commit
    return commit


def _sort_files(reads: Commit, labels: _Labels, bins: _Bins, lake: Lake, progress: Progress) -> None:
    files = [one for one in reads.inputs if isinstance(one, FileInput)]
    expected = {one["source"]: one["records_in"] for one in reads.facts["files"]}  # type: ignore[union-attr,index,call-overload]
    total, done = float(sum(one.size for one in files)), 0
    for one in files:
        _check_original(one, lake)
        records = 0
        kind = sniff(Path(one.path), name=one.source)
        for batch, text in _records(one, kind):
            clusters = labels.take(one.source, records, batch)
            bins.add(one.sample, kind.format, text, batch, clusters)
            records += batch.records
        if records != expected[one.source]:
            raise Corrupt(f"{one.source}: found {records:,} records; {reads.ref} was made of {expected[one.source]:,}")
        done += one.size
        progress.update("bins", float(done), total, "B")


def _check_original(one: FileInput, lake: Lake) -> None:
    path = Path(one.path)
    if not path.is_file():
        raise NotFound(
            f"{one.source}: the original file {path} is not there any more; bins are cut from it: restore it"
        )
    if fingerprint(path, lake.scratch / "cache") != one.xxh3_128:
        raise Conflict(f"{one.source}: {path} has changed since its reads were embedded; restore it, or embed it again")


def _records(one: FileInput, kind: Kind) -> Iterator[tuple[Batch, Array]]:
    """All records of a file in order, dropped ones too, with the text that they lie in."""
    scanner = Scanner(kind.code, "none")
    with open_source(Path(one.path), kind.compression) as source:
        window = Window(source, base=0, limit_bytes=max(_LIMIT_BYTES, BLOCK_BYTES), name=one.source)
        window.skip_to(kind.body)
        try:
            for batch in scan_on(scanner, window, 0, end=None):
                yield batch, window.buffer
        except BadText as error:
            raise Corrupt(f"{one.source}: {error}, and yet it was embedded; restore the file") from error


class _Labels:
    """The labels of a product, handed out in order of file and record."""

    def __init__(self, lake: Lake, ref: Ref) -> None:
        self._ref = ref
        self._batches = lake.read(ref).batches(["source", "record", "length", "cluster"])
        self._runs: Iterator[tuple[str, Array]] = self._in_runs()
        self._source, self._run = "", np.empty((3, 0), np.int64)

    def _in_runs(self) -> Iterator[tuple[str, Array]]:
        """(source, int64 (3, n): record, length, cluster) for stretches of one source."""
        for batch in self._batches:
            sources = batch.column("source").dictionary_encode()
            codes = sources.indices.to_numpy()
            values = np.stack(
                [batch.column(name).to_numpy().astype(np.int64) for name in ("record", "length", "cluster")]
            )
            borders = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
            for lo, hi in pairwise(borders):
                if lo < hi:
                    yield sources.dictionary[int(codes[lo])].as_py(), values[:, lo:hi]

    def take(self, source: str, first_record: int, batch: Batch) -> Array:
        """Clusters of the batch's records, -1 for none; int64 (records,)."""
        clusters = np.full(batch.records, -1, np.int64)
        end = first_record + batch.records
        while True:
            if not self._run.shape[1]:
                self._source, self._run = next(self._runs, ("", np.empty((3, 0), np.int64)))
            if not self._run.shape[1] or self._source != source:
                return clusters
            n = int(np.searchsorted(self._run[0], end))
            record, length, cluster = self._run[:, :n]
            place = record - first_record
            if n and (place.min() < 0 or (batch.rows["length"][place] != length).any()):
                raise Corrupt(f"{self._ref}: its labels do not fit the records of {source}")
            clusters[place] = cluster
            self._run = self._run[:, n:]
            if self._run.shape[1]:
                return clusters

    def check_all_used(self) -> None:
        if self._run.shape[1] or next(self._runs, None) is not None:
            raise Corrupt(f"{self._ref}: it has labels for more records than its files hold")


class _Bins:
    """Files of one folder, few of them open at a time, and the counts of what went into each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: OrderedDict[str, BinaryIO] = OrderedDict()
        self._names: dict[str, None] = {}
        self._counts: dict[tuple[int, str], list[int]] = {}
        self._samples: dict[str, None] = {}
        self._ragged: set[str] = set()

    def __enter__(self) -> _Bins:
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._open.values():
            handle.close()

    def add(self, sample: str, format: str, text: Array, batch: Batch, clusters: Array) -> None:
        """Write each record of the batch to the file of its cluster; in order within each file."""
        self._samples.setdefault(sample)
        for cluster in np.unique(clusters).tolist():
            rows = batch.rows[clusters == cluster]
            name = f"{_bin_name(cluster)}.{format}"
            self._write(name, _stretches(text, rows))
            reads, bases = self._counts.setdefault((cluster, sample), [0, 0])
            self._counts[cluster, sample] = [reads + len(rows), bases + int(rows["length"].sum())]
        self._write_names(batch, clusters)

    def _write(self, name: str, data: bytes) -> None:
        if name in self._ragged:
            data = b"\n" + data
            self._ragged.discard(name)
        if not data.endswith(b"\n"):
            self._ragged.add(name)
        self._handle(name).write(data)

    def _write_names(self, batch: Batch, clusters: Array) -> None:
        """A line for each assigned read, in order of the input."""
        tails = {cluster: f"\t{_bin_name(cluster)}\n".encode() for cluster in np.unique(clusters).tolist()}
        ends, text = np.cumsum(batch.rows["id_len"], dtype=np.int64), batch.ids.tobytes()
        triples = zip((ends - batch.rows["id_len"]).tolist(), ends.tolist(), clusters.tolist(), strict=True)
        lines = [text[lo:hi] + tails[cluster] for lo, hi, cluster in triples if cluster >= 0]
        self._handle("contig2bin.tsv").write(b"".join(lines))

    def _handle(self, name: str) -> BinaryIO:
        handle = self._open.pop(name, None)
        if handle is None:
            if len(self._open) >= _OPEN_FILES:
                self._open.popitem(last=False)[1].close()
            handle = (self._folder / name).open("ab", buffering=_BUFFER_BYTES)
            self._names.setdefault(name)
        self._open[name] = handle
        return handle

    def finish(self, to: Path) -> BinsSummary:
        """Write the tables, flush everything to disk, and sum up; `to` is the folder's name to be."""
        for name in self._ragged:
            with (self._folder / name).open("ab") as handle:
                handle.write(b"\n")
        (self._folder / "contig2bin.tsv").touch()
        (self._folder / "abundance.tsv").write_text(self._abundance())
        for path in self._folder.iterdir():
            with path.open("rb") as handle:
                os.fsync(handle.fileno())
        fsync_folder(self._folder)
        totals = np.array(list(self._counts.values()), np.int64).reshape(-1, 2).sum(axis=0)
        rest = [counts for (cluster, _), counts in self._counts.items() if cluster < 0]
        return BinsSummary(
            folder=to,
            bins=len({cluster for cluster, _ in self._counts if cluster >= 0}),
            files=tuple(sorted(path.name for path in self._folder.iterdir())),
            reads=int(totals[0]),
            bases=int(totals[1]),
            unassigned_reads=sum(reads for reads, _ in rest),
            unassigned_bases=sum(bases for _, bases in rest),
        )

    def _abundance(self) -> str:
        """Every bin in every sample, zeros too; `share` is of all bases of the sample."""
        bases = {
            name: sum(n for (_, sample), (_, n) in self._counts.items() if sample == name) for name in self._samples
        }
        clusters = sorted({cluster for cluster, _ in self._counts if cluster >= 0})
        lines = ["bin\tsample\treads\tbp\tshare\n"]
        for cluster in [*clusters, -1]:
            for sample in self._samples:
                reads, bp = self._counts.get((cluster, sample), [0, 0])
                share = bp / bases[sample] if bases[sample] else 0.0
                lines.append(f"{_bin_name(cluster)}\t{sample}\t{reads}\t{bp}\t{share:.6f}\n")
        return "".join(lines)


def _bin_name(cluster: int) -> str:
    return UNASSIGNED if cluster < 0 else f"bin_{cluster:04d}"


def _stretches(buffer: Array, rows: Array) -> bytes:
    """The bytes of `rows`, which lie in order in `buffer`; neighbours are copied as one."""
    starts, ends = rows["start"], rows["end"]
    apart = np.flatnonzero(starts[1:] != ends[:-1])
    los, his = starts[np.r_[0, apart + 1]], ends[np.r_[apart, len(rows) - 1]]
    view = buffer.data
    return b"".join([view[lo:hi] for lo, hi in zip(los.tolist(), his.tolist(), strict=True)])
