"""Collecting: what a finished job wrote, checked and joined with the reads, becomes the next version of a product."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from isthmus.backbone.arrays import Manifest, Shard
from isthmus.backbone.checksum import xxh3_128_file
from isthmus.backbone.lake import Change, Lake, Snapshot
from isthmus.backbone.schema import CLUSTERS
from isthmus.core.files import disk_errors, fsync_folder
from isthmus.core.job import Job
from isthmus.core.plan import Json, Plan
from isthmus.core.ref import Ref
from isthmus.simulate.jobs import open_output, read_result
from isthmus.simulate.summary import Labels, Reads, summarise

SMALL = ("scaling_mean", "scaling_matrix", "centres")


def collect(job: Job, plan: Plan, lake: Lake) -> Ref:
    """Check the result of `job` and commit it; the same job again gives the same Ref.

    Raises: NotFound or Corrupt: no result, or not the bytes that its ranks wrote. Conflict, WontFit: see Lake.commit.
    """
    result = read_result(job)
    snapshot = lake.read(source_of(plan))
    labels = _labels(job, result)
    order = RowOrder.of(snapshot)
    folder = lake.array_folder(plan.target, plan.id)
    manifest = _place_arrays(job, result, folder, plan)
    facts = _facts(job, plan, result, summarise(_reads(snapshot, order), labels, k=result["statistics"]["k"]))
    return lake.commit(
        Change(
            name=plan.target,
            verb="replace",
            plan=plan,
            schema=CLUSTERS,
            batches=_batches(snapshot, order, labels),
            manifest=manifest,
            facts=facts,
        )
    )


def source_of(plan: Plan) -> Ref:
    """The product that the plan reads."""
    return next(one for one in plan.inputs if isinstance(one, Ref))


@dataclass(frozen=True)
class RowOrder:
    """Global rows from `shard` and `row_in_shard`: `starts[shard]` is the first row of a shard."""

    starts: npt.NDArray[np.int64]
    rows: int

    @staticmethod
    def of(snapshot: Snapshot) -> RowOrder:
        shards = () if snapshot.manifest is None else snapshot.manifest.shards
        ends = list(accumulate((shard.rows for shard in shards), initial=0))
        return RowOrder(np.array(ends[:-1], np.int64), ends[-1])

    def of_batch(self, batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
        """(n,) global rows of the rows of `batch`."""
        shard, row = (batch.column(name).to_numpy(zero_copy_only=False) for name in ("shard", "row_in_shard"))
        place: npt.NDArray[np.int64] = self.starts[shard] + row
        return place


def read_columns(snapshot: Snapshot, names: Mapping[str, str]) -> dict[str, npt.NDArray[Any]]:
    """Columns as arrays in order of global rows: name -> dtype in, name -> (N,) out."""
    order = RowOrder.of(snapshot)
    columns: dict[str, npt.NDArray[Any]] = {name: np.zeros(order.rows, dtype) for name, dtype in names.items()}
    for batch in snapshot.batches(["shard", "row_in_shard", *names]):
        place = order.of_batch(batch)
        for name, values in columns.items():
            values[place] = batch.column(name).to_numpy(zero_copy_only=False)
    return columns


def _reads(snapshot: Snapshot, order: RowOrder) -> Reads:
    found = read_columns(snapshot, {"length": "<i8", "gc": "<f4", "flags": "<i4"})
    return Reads(found["length"], found["gc"], found["flags"])


def _labels(job: Job, result: Mapping[str, Any]) -> Labels:
    names = ("labels", "confidence", "flags")
    cluster, confidence, flags = (
        open_output(job.folder, result["outputs"][name]["files"][0]["path"]) for name in names
    )
    return Labels(cluster, confidence, flags, halves="halves" in result["statistics"]["used"])


def _batches(snapshot: Snapshot, order: RowOrder, labels: Labels) -> Iterator[pa.RecordBatch]:
    """CLUSTERS rows in the order of the reads' table."""
    kept = ["id", "source", "record", "sample", "length", "shard", "row_in_shard"]
    for batch in snapshot.batches(kept):
        place = order.of_batch(batch)
        found: dict[str, Any] = {name: batch.column(name) for name in kept}
        found["cluster"] = pa.array(labels.cluster[place], pa.int32())
        found["confidence"] = pa.array(labels.confidence[place], pa.float32())
        found["flags"] = pa.array(labels.flags[place], pa.int32())
        columns = [found[field.name].cast(field.type) for field in CLUSTERS]
        yield pa.RecordBatch.from_arrays(columns, schema=CLUSTERS)


def _place_arrays(job: Job, result: Mapping[str, Any], folder: Path, plan: Plan) -> Manifest:
    """Bring coordinates and scaling into the product's folder; links where the disk is the same."""
    outputs = result["outputs"]
    shards = []
    for file in outputs["coords"]["files"]:
        path = _bring(job.folder / file["path"], folder)
        shards.append(Shard(path.name, file["rows"], xxh3_128_file(path)))
    for name in SMALL:
        for file in outputs[name]["files"]:
            _bring(job.folder / file["path"], folder)
    fsync_folder(folder)
    return Manifest(
        dtype=outputs["coords"]["dtype"],
        dim=outputs["coords"]["shape"][1],
        rows=outputs["coords"]["shape"][0],
        shards=tuple(shards),
        embedder={
            "name": f"{plan.recipe}:{plan.params['scale']}",
            "version": plan.recipe_version,
            "unit_length": result["statistics"]["unit_length"],
            **{name: Path(outputs[name]["files"][0]["path"]).name for name in SMALL},
        },
    )


def _bring(source: Path, folder: Path) -> Path:
    """`source` under its own name in `folder`, by link or copy, then rename: whole or not at all."""
    fresh = folder / f".{source.name}.{os.getpid()}.tmp"
    fresh.unlink(missing_ok=True)
    with disk_errors(folder):
        try:
            os.link(source, fresh)
        except OSError:
            shutil.copyfile(source, fresh)
            with fresh.open("rb+") as handle:
                os.fsync(handle.fileno())
        return fresh.replace(folder / source.name)


def _facts(job: Job, plan: Plan, result: Mapping[str, Any], summary: Mapping[str, Json]) -> dict[str, Json]:
    statistics = {name: value for name, value in result["statistics"].items() if name != "used"}
    return {
        "program": result["program"],
        "k_asked": plan.params["k"],
        "seed": plan.params["seed"],
        "scale": plan.params["scale"],
        "starts": plan.params["starts"],
        "merge_threshold": plan.params["merge_threshold"],
        "merge_z": plan.params["merge_z"],
        "rows": result["rows"],
        **statistics,
        **summary,
        "ranks": result["ranks"],
        "seconds": result["seconds"],
        "versions": result["versions"],
        "job_folder": str(job.folder),
    }
