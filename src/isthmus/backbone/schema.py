"""Schemas: the columns of every kind of product, with units."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from isthmus.core.errors import InvalidInput


def _column(name: str, kind: pa.DataType, about: str, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"comment": about})


READS = pa.schema(
    [
        _column("id", pa.string(), "name of the read, up to the first blank"),
        _column("shard", pa.int32(), "index into the shards of the array"),
        _column("row_in_shard", pa.int32(), "row of the read in that shard, from 0"),
        _column("record", pa.int64(), "number of the record in its source, from 0"),
        _column("source", pa.string(), "file as the user named it"),
        _column("sample", pa.string(), "sample the source belongs to"),
        _column("length", pa.int32(), "bases"),
        _column("gc", pa.float32(), "share of G and C among A, C, G, T; 0 to 1"),
        _column("mean_quality", pa.float32(), "mean Phred score; null where the source has none", nullable=True),
        _column("n_ambiguous", pa.int32(), "bases that are not A, C, G or T"),
        _column("flags", pa.int32(), "core.flags.ReadFlag"),
    ]
)
"""One row for each read that passed cleaning, in order of source and record."""

CLUSTERS = pa.schema(
    [
        _column("id", pa.string(), "name of the read"),
        _column("source", pa.string(), "file as the user named it"),
        _column("record", pa.int64(), "number of the record in its source, from 0"),
        _column("sample", pa.string(), "sample the source belongs to"),
        _column("length", pa.int32(), "bases"),
        _column("cluster", pa.int32(), "from 0 by falling number of bases; -1 for none"),
        _column("confidence", pa.float32(), "0 to 1"),
        _column("flags", pa.int32(), "core.flags.LabelFlag"),
        _column("shard", pa.int32(), "of the read: index into the shards of the reads' array"),
        _column("row_in_shard", pa.int32(), "of the read: row in that shard of the reads' array, from 0"),
    ]
)
"""One row for each read of the product that was clustered, in its order."""


def same_columns(one: pa.Schema, other: pa.Schema) -> bool:
    """Whether two schemas have the same columns, types and order; comments and nullability set aside."""
    return [(f.name, f.type) for f in one] == [(f.name, f.type) for f in other]


def require_columns(found: Sequence[str], wanted: Sequence[str], where: str) -> None:
    """InvalidInput for the first of `wanted` that is not in `found`."""
    for name in wanted:
        if name not in found:
            raise InvalidInput(f"{where} has no column {name!r}; it has {', '.join(found)}")
