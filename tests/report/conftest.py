"""A lake with a small, complete pair of products, reads and clusters, as the rooms before the report commit them."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from isthmus.backbone.arrays import Manifest, RowWriter
from isthmus.backbone.lake import Change, Lake
from isthmus.backbone.schema import CLUSTERS, READS
from isthmus.core.plan import FileInput, Plan
from isthmus.core.ref import Name, Ref
from isthmus.kernels.profiles import profiles


@dataclass(frozen=True)
class Products:
    """A lake, its two products, and the true label of each read."""

    lake: Lake
    reads: Ref
    clusters: Ref
    truth: Mapping[str, str]

    def write_truth(self, path: Path) -> Path:
        path.write_text("id\tlabel\n" + "".join(f"{name}\t{label}\n" for name, label in self.truth.items()))
        return path


MakeProducts = Callable[..., Products]


@pytest.fixture
def make_products(tmp_path: Path) -> MakeProducts:
    """Makes Products in a fresh lake; see `_make`."""
    return lambda root=None, **how: _make(root or tmp_path / "lake", **how)


@pytest.fixture(scope="session")
def make_products_in() -> MakeProducts:
    """Makes Products in the folder that is its first argument; see `_make`."""
    return _make


def _make(
    root: Path,
    *,
    sizes: Sequence[int] = (180, 120, 60),
    unassigned: int = 12,
    mean_length: float = 12_000,
    one_length: bool = False,
    sources: Sequence[str] = ("gut.fastq.gz",),
    samples: Sequence[str] = ("gut",),
    fasta: bool = False,
    quality: float = 14.0,
    dropped: Mapping[str, int] | None = None,
    prefix: str = "read",
    label: str = "genome",
    seed: int = 7,
    embedder: str = "kmer:4",
    facts: Mapping[str, Any] | None = None,
    reads_facts: Mapping[str, Any] | None = None,
) -> Products:
    """Reads of `len(sizes)` invented compositions, in two shards, one tenth in the wrong cluster, some unassigned."""
    rng = np.random.default_rng(seed)
    lake = Lake.open(root)
    cluster = np.concatenate([np.repeat(np.arange(len(sizes)), sizes), np.full(unassigned, -1)]).astype(np.int32)
    rng.shuffle(cluster)
    n, k = len(cluster), max(1, len(sizes))
    genome = np.where((cluster < 0) | (rng.random(n) < 0.1), rng.integers(0, k, n), cluster)
    form = profiles(embedder)
    frequencies = rng.dirichlet(np.full(len(form.kmers), 3.0), k)[genome] + rng.normal(0, 4e-4, (n, len(form.kmers)))
    gc_of = np.linspace(0.3, 0.65, k)[genome]
    length = np.maximum(50, rng.lognormal(np.log(mean_length), 0.6, n)).astype(np.int32)
    length = np.full(n, int(mean_length), np.int32) if one_length else length
    file_of = np.sort(rng.integers(0, len(sources), n))
    record = np.zeros(n, np.int64)
    for i in range(len(sources)):
        record[file_of == i] = np.arange(np.count_nonzero(file_of == i))
    ids = [f"{prefix}{i}" for i in range(n)]
    table = {
        "id": ids,
        "source": [sources[i] for i in file_of],
        "sample": [samples[i % len(samples)] for i in file_of],
        "record": record,
        "length": length,
        "gc": np.clip(gc_of + rng.normal(0, 0.02, n), 0, 1).astype(np.float32),
        "mean_quality": pa.nulls(n, pa.float32())
        if fasta
        else rng.normal(quality, 2, n).clip(1, 60).astype(np.float32),
        "n_ambiguous": np.zeros(n, np.int32),
        "cluster": cluster,
        "confidence": np.where(cluster < 0, 0, rng.beta(5, 2, n)).astype(np.float32),
    }
    agree = rng.random(n) < 0.9
    table["flags"] = np.where(cluster < 0, 4, np.where(agree, 0, 1)).astype(np.int32)
    lost = dict(dropped or {"too_short": 31, "low_quality": 9, "many_n": 0})
    features = (frequencies if form.basis is None else frequencies @ form.basis[:, : form.dim]).astype(np.float32)
    reads = _commit_reads(lake, table, features, file_of, sources, samples, lost, fasta, embedder, reads_facts or {})
    x = (features - features.mean(axis=0)) @ rng.normal(size=(features.shape[1], 10))
    x = (x / np.maximum(1e-9, np.linalg.norm(x, axis=1, keepdims=True))).astype(np.float32)
    clusters = _commit_clusters(lake, reads, table, x, len(sizes), facts or {})
    return Products(lake, reads, clusters, {name: f"{label}{g}" for name, g in zip(ids, genome, strict=True)})


def _shards(lake: Lake, plan: Plan, x: np.ndarray, embedder: Mapping[str, Any]) -> tuple[Manifest, dict[str, Any]]:
    """`x` as two shards, the first with two thirds of the rows, and the columns that point into them."""
    folder, cut = lake.array_folder(plan.target, plan.id), -(-2 * len(x) // 3)
    shards, columns = [], []
    for i, rows in enumerate((x[:cut], x[cut:])):
        if i and not len(rows):
            continue
        writer = RowWriter(folder / f"part-{i:05d}.npy", x.shape[1])
        writer.append(rows)
        writer.close()
        shards.append(_shard(folder, f"part-{i:05d}.npy", len(rows)))
        columns.append(np.stack([np.full(len(rows), i), np.arange(len(rows))]))
    where = np.concatenate(columns, axis=1).astype(np.int32)
    manifest = Manifest("<f4", x.shape[1], len(x), tuple(shards), (), embedder)
    return manifest, {"shard": where[0], "row_in_shard": where[1]}


def _shard(folder: Path, name: str, rows: int) -> Any:
    from isthmus.backbone.arrays import Shard
    from isthmus.backbone.checksum import xxh3_128_file

    return Shard(name, rows, xxh3_128_file(folder / name))


def _batch(schema: pa.Schema, table: Mapping[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(table[f.name], f.type) for f in schema], schema=schema)


def _commit_reads(
    lake: Lake,
    table: Mapping[str, Any],
    features: np.ndarray,
    file_of: np.ndarray,
    sources: Sequence[str],
    samples: Sequence[str],
    lost: dict[str, int],
    fasta: bool,
    embedder: str,
    more: Mapping[str, Any],
) -> Ref:
    files = [
        FileInput(source, f"/data/{i}", 1_000_000 + i, f"{i:032x}", samples[i % len(samples)])
        for i, source in enumerate(sources)
    ]
    params = {"embed": embedder, "cleaning": {"min_length": 500, "min_mean_quality": 7.0, "max_n_share": 0.1}}
    plan = Plan("embed", 1, Name("gut", "reads"), tuple(files), params)
    manifest, where = _shards(lake, plan, features, {"name": embedder, "version": 1, "symmetry": "strand"})
    length = table["length"]
    kept, bases_out = len(length), int(length.sum())
    per_file = [
        {
            "source": source,
            "sample": samples[i % len(samples)],
            "format": "fasta" if fasta else "fastq",
            "compression": "none" if fasta else "gzip",
            "bytes": 1_000_000 + i,
            "text_bytes": 2_000_000,
            "records_in": int(np.count_nonzero(file_of == i)) + (sum(lost.values()) if i == 0 else 0),
            "records_out": int(np.count_nonzero(file_of == i)),
            "bases_in": int(length[file_of == i].sum()) + (12_345 if i == 0 else 0),
            "bases_out": int(length[file_of == i].sum()),
            "dropped": lost if i == 0 else dict.fromkeys(lost, 0),
        }
        for i, source in enumerate(sources)
    ]
    ordered = np.sort(length)[::-1]
    facts: dict[str, Any] = {
        "files": per_file,
        "records_in": kept + sum(lost.values()),
        "records_out": kept,
        "bases_in": bases_out + 12_345,
        "bases_out": bases_out,
        "dropped": lost,
        "length": {
            "min": int(length.min()),
            "median": float(np.median(length)),
            "mean": float(length.mean()),
            "n50": int(ordered[np.searchsorted(np.cumsum(ordered.astype(np.int64)), bases_out / 2)]),
            "max": int(length.max()),
        },
        "flagged": {"no_kmers": 0, "half_empty": 0},
        "duplicate_names": 0,
        "parts": {"total": 2, "reused": 0},
        "workers": 2,
        "seconds": {"hash": 0.02, "embed": 1.25, "commit": 0.031},
        "cpu_seconds": 2.4,
        "warnings": [],
        **more,
    }
    return lake.commit(
        Change(
            plan.target,
            "replace",
            plan,
            READS,
            iter([_batch(READS, {**table, **where, "flags": np.zeros(kept)})]),
            manifest,
            facts,
        )
    )


def _commit_clusters(
    lake: Lake, reads: Ref, table: Mapping[str, Any], x: np.ndarray, k: int, more: Mapping[str, Any]
) -> Ref:
    plan = Plan("kmeans", 1, Name("gut", "clusters"), (reads,), {"k": None, "seed": 1, "scale": "self", "starts": 10})
    manifest, where = _shards(lake, plan, x, {"name": "kmeans", "version": 1, "symmetry": "strand"})
    cluster, length, confidence = table["cluster"], table["length"].astype(np.int64), table["confidence"]
    agree = (table["flags"] & 1) == 0
    n = len(cluster)
    cutoffs = []
    for cut in np.linspace(0, 0.95, 20):
        keep = (confidence >= cut) & (cluster >= 0)
        cutoffs.append(
            {
                "confidence": round(float(cut), 2),
                "reads_share": float(keep.mean()) if n else 0.0,
                "bp_share": float(length[keep].sum() / length.sum()),
                "halves_agree": float(agree[keep].mean()) if keep.any() else None,
            }
        )
    facts: dict[str, Any] = {
        "program": "kmeans",
        "k_asked": None,
        "k_start": max(8, k),
        "k": k,
        "seed": 1,
        "scale": "self",
        "rows": n,
        "dim": x.shape[1],
        "starts": 10,
        "iterations": 23,
        "inertia": 123.4,
        "inertias": [123.4],
        "merge_threshold": 0.8,
        "merges": [{"kept_share": 0.41, "clusters": k + 1}, {"kept_share": 0.72, "clusters": k}],
        "pairs": [
            {"a": a, "b": b, "kept_share": 0.99 - 0.01 * (a + b), "kept_bound": 0.81 + 0.01 * (a + b)}
            for a in reversed(range(min(k, 6)))
            for b in reversed(range(a + 1, min(k, 6)))
        ],
        "clusters": [
            {
                "cluster": i,
                "reads": int(np.count_nonzero(cluster == i)),
                "bp": int(length[cluster == i].sum()),
                "gc": float(np.mean(table["gc"][cluster == i])) if (cluster == i).any() else None,
                "confidence_median": float(np.median(confidence[cluster == i])) if (cluster == i).any() else None,
                "halves_agree": float(agree[cluster == i].mean()) if (cluster == i).any() else None,
            }
            for i in range(k)
        ],
        "cutoffs": cutoffs,
        "flagged": {
            "halves_disagree": int(np.count_nonzero(table["flags"] & 1)),
            "chimera_suspect": 0,
            "unassigned": int(np.count_nonzero(cluster < 0)),
            "no_kmers": 0,
        },
        "ranks": 2,
        "seconds": {"start": 0.4, "kmeans": 0.9, "merge": 0.1},
        "versions": {"python": "3.11.2", "numpy": "2.1.0", "mpi": "MPICH 4.3", "kernels": "x86_64_v3"},
        "job_folder": "/scratch/jobs/abc/1.0",
        **more,
    }
    batches = iter([_batch(CLUSTERS, {**table, **where})])
    return lake.commit(Change(plan.target, "replace", plan, CLUSTERS, batches, manifest, facts))


class Browser:
    """A headless chromium, driven by the DevTools protocol over a pipe; keeps what pages say and ask for."""

    def __init__(self, program: str, profile: Path) -> None:
        down_read, self._down = os.pipe()
        self._up, up_write = os.pipe()
        self._next, self._rest, self.events = 0, b"", []  # type: ignore[var-annotated]
        argv = [
            program,
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        null = os.open(os.devnull, os.O_RDWR)
        actions = [
            (os.POSIX_SPAWN_DUP2, null, 1),
            (os.POSIX_SPAWN_DUP2, null, 2),
            (os.POSIX_SPAWN_DUP2, os.dup(down_read), 3),
            (os.POSIX_SPAWN_DUP2, os.dup(up_write), 4),
        ]
        self._pid = os.posix_spawn(program, argv, os.environ, file_actions=actions, setpgroup=0)
        os.close(down_read)
        os.close(up_write)
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.tell(f"{domain}.enable")

    def ask(self, method: str, *, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._next += 1
        message = {"id": self._next, "method": method, "params": params, **({"sessionId": session} if session else {})}
        os.write(self._down, json.dumps(message).encode() + b"\0")
        while True:
            got = self._receive()
            if got.get("id") == self._next:
                assert "error" not in got, got["error"]
                return dict(got["result"])
            self.events.append(got)

    def tell(self, method: str, **params: Any) -> dict[str, Any]:
        """A command to the page."""
        return self.ask(method, session=self._session, **params)

    def open(self, path: Path, *, width: int, dark: bool = False) -> None:
        """Show the file at `width` CSS pixels and wait until it is loaded; forgets earlier events."""
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.tell("Emulation.setEmulatedMedia", features=scheme)
        self.tell(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        self.events = []
        self.tell("Page.navigate", url=path.as_uri())
        while not any(one.get("method") == "Page.loadEventFired" for one in self.events):
            self.events.append(self._receive())
        self.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def run(self, script: str) -> Any:
        """The value of a script in the page, by the protocol and so in spite of the page's own policy."""
        got = self.tell("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in got, got
        return got["result"].get("value")

    def said(self, *methods: str) -> list[dict[str, Any]]:
        return [one["params"] for one in self.events if one.get("method") in methods]

    def picture(self, to: Path) -> None:
        """The whole page as a PNG."""
        size = self.tell("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.tell("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"]
        to.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.ask("Browser.close")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._down)
        os.close(self._up)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._up], [], [], 60)
            assert ready, "chromium did not answer within 60 s"
            more = os.read(self._up, 1 << 16)
            assert more, "chromium ended"
            self._rest += more
        message, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(message))


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One headless chromium for all tests; skips where there is none."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no chromium on this machine: install Debian's package chromium to look at the page")
    opened = Browser(program, tmp_path_factory.mktemp("chromium"))
    yield opened
    opened.close()
