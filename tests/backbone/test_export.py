"""Export writes one version whole, with a column of truth where there is one."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from isthmus.backbone import schema
from isthmus.backbone.export import export
from isthmus.backbone.lake import Change, Lake
from isthmus.backbone.truth import read_truth
from isthmus.core.errors import InvalidInput, NotFound
from isthmus.core.plan import Plan
from isthmus.core.ref import Name, Ref


def labels(lake: Lake) -> Ref:
    rows = [
        {
            "id": f"r,{i}",
            "source": "a.fastq",
            "record": i,
            "sample": "a",
            "length": 10,
            "cluster": i - 1,
            "confidence": 0.5,
            "flags": 0,
            "shard": 0,
            "row_in_shard": i,
        }
        for i in range(3)
    ]
    batch = pa.RecordBatch.from_pylist(rows, schema=schema.CLUSTERS)
    name = Name("gut", "clusters")
    plan = Plan("kmeans", 1, name, (), {"k": 2})
    return lake.commit(
        Change(name=name, verb="replace", plan=plan, schema=schema.CLUSTERS, batches=[batch], manifest=None, facts={})
    )


def test_labels_have_the_columns_that_were_promised(tmp_path: Path) -> None:
    """A comma in an id survives CSV; an id without truth is empty there and null in Parquet."""
    lake = Lake.open(tmp_path / "lake")
    ref = labels(lake)

    rows = export(lake, ref, form="csv", to=tmp_path / "x.csv", truth={"r,0": "E. coli"})
    export(lake, ref, form="parquet", to=tmp_path / "x.parquet", truth={"r,0": "E. coli"})

    assert rows == 3
    with (tmp_path / "x.csv").open() as handle:
        read = list(csv.DictReader(handle))
    assert list(read[0]) == ["id", "source", "cluster", "confidence", "flags", "truth"]
    assert [(one["id"], one["cluster"], one["truth"]) for one in read] == [
        ("r,0", "-1", "E. coli"),
        ("r,1", "0", ""),
        ("r,2", "1", ""),
    ]
    assert pq.read_table(tmp_path / "x.parquet").column("truth").to_pylist() == ["E. coli", None, None]


def test_a_product_without_an_array_has_no_npy(tmp_path: Path) -> None:
    """The error names what it can be exported as, and writes nothing."""
    lake = Lake.open(tmp_path / "lake")
    ref = labels(lake)

    with pytest.raises(NotFound, match="array"):
        export(lake, ref, form="npy", to=tmp_path / "x.npy")
    with pytest.raises(InvalidInput, match="folder"):
        export(lake, ref, form="csv", to=tmp_path)

    assert not (tmp_path / "x.npy").exists()
    assert np.array_equal(lake.table(ref).column("cluster").to_numpy(), [-1, 0, 1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a tab-separated header"),
        ("name\tgenome\nr\tx\n", "line 1: found columns 'name', 'genome'"),
        ("id,label\nr,x\n", "line 1"),
        ("id\tlabel\n", "no row follows"),
        ("id\tlabel\nr\n", "line 2: found 1 columns; expected 2"),
        ("id\tlabel\nr\tx\nr\ty\n", "line 3: found a second label 'y'"),
    ],
)
def test_a_truth_file_that_cannot_be_used_says_where(tmp_path: Path, text: str, message: str) -> None:
    """File, line, found, expected."""
    (tmp_path / "truth.tsv").write_text(text)

    with pytest.raises(InvalidInput, match=message):
        read_truth(tmp_path / "truth.tsv")


def test_a_truth_file_may_have_more_columns_and_windows_ends(tmp_path: Path) -> None:
    """Columns in any order, a byte order mark, CRLF and quotes as they stand."""
    (tmp_path / "truth.tsv").write_bytes(b'\xef\xbb\xbflabel\tx\tid\r\n"E"\t1\tr1\r\n\r\n')

    assert read_truth(tmp_path / "truth.tsv") == {"r1": '"E"'}
    with pytest.raises(NotFound):
        read_truth(tmp_path / "absent.tsv")
