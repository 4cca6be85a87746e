"""The commit protocol: fresh files first, flushed; then one Delta commit; the plan is looked for before and after.

look for the plan -> write files -> [ look for the plan -> commit at version n + 1 ] again while others win
                                      on any error: look again; found and mine: done; found, not mine: theirs counts
"""

from __future__ import annotations

import getpass
import json
import os
import secrets
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import pyarrow as pa

from isthmus.backbone.arrays import ArrayView, HalvesView, Manifest, Shard, read_manifest, write_manifest
from isthmus.backbone.delta import ProductTable
from isthmus.backbone.record import Record
from isthmus.backbone.rows import TableFile, move_tables, remove_tables, write_tables
from isthmus.backbone.schema import same_columns
from isthmus.core.clock import now_utc
from isthmus.core.commit import Commit
from isthmus.core.errors import Bug, Conflict, InvalidInput
from isthmus.core.files import fsync_folder
from isthmus.core.plan import Json, Plan
from isthmus.core.ref import Name, Ref
from isthmus.core.version import VERSION

TRIES = 100
_LONGEST_PAUSE_MS = 200


@dataclass(frozen=True)
class Change:
    """What is to become the next version of a product.

    Args:
        name:     the product.
        verb:     `replace`: the version holds these rows only; `append`: these behind those of the version before.
        plan:     the work that this is the result of; at most one version of a product carries it.
        schema:   columns of the table; those of the product where it exists.
        batches:  record batches of `schema`, read once, one at a time. `shard` counts within `manifest`.
        manifest: of the shards in `Lake.array_folder(name, plan.id)`, already flushed; None without an array.
        facts:    what the work found; small, JSON, no NaN.
    """

    name: Name
    verb: Literal["replace", "append"]
    plan: Plan
    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]
    manifest: Manifest | None = None
    facts: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class _Base:
    """The version to build on: 0 is the empty table."""

    version: int
    rows: int = 0
    manifest: Manifest | None = None
    folder: Path | None = None


@dataclass(frozen=True)
class _Draft:
    """Fresh files of one attempt, and the base they are written for."""

    base: _Base
    tables: tuple[TableFile, ...]


def commit(change: Change, table: ProductTable, arrays: Path) -> Ref:
    """Carry out `change` on `table`; `arrays` is the folder of its own shards. See `Lake.commit`."""
    attempt = _Attempt(change, table, arrays)
    found = attempt.look()
    if found is not None:
        return found.commit.ref
    _check(change, arrays)
    table.create(change.schema)
    columns = table.schema()
    if not same_columns(columns, change.schema):
        raise InvalidInput(
            f"{change.name} holds columns {', '.join(columns.names)}; found {', '.join(change.schema.names)}; "
            "choose another name with --into"
        )
    return attempt.run()


class _Attempt:
    """One writer's way to a commit; its files are gone when it did not get there."""

    def __init__(self, change: Change, table: ProductTable, arrays: Path) -> None:
        self.change, self.table, self.arrays = change, table, arrays
        self.id = secrets.token_hex(8)
        self._seen = 0  # versions up to here do not carry the plan

    def look(self) -> Record | None:
        """The commit of this plan, by whomever; a version is read once."""
        newest = self.table.newest()
        found = self.table.find(self.change.plan.id, above=self._seen)
        if found is None:
            self._seen = max(newest, 0)
        return found

    def run(self) -> Ref:
        """Write the files and commit them."""
        draft = self._write(_base(self.change, self.table))
        try:
            for tried in range(TRIES):
                base = _base(self.change, self.table)
                found = self.look()  # after the base: it sees all that the base has
                if found is not None:
                    return found.commit.ref
                draft = self._on(draft, base)
                ref = self._commit(draft)
                if ref is not None:
                    return ref
                time.sleep(secrets.randbelow(min(_LONGEST_PAUSE_MS, 4 << min(tried, 8))) / 1000)
        finally:
            self._tidy(draft)
        raise Conflict(
            f"{self.change.name}: other writers won {TRIES} times in a row; nothing was committed; "
            "run the same command again"
        )

    def _write(self, base: _Base) -> _Draft:
        change = self.change
        tables = write_tables(
            change.batches, change.schema, self.table.folder, stem=self._stem(base), shard_shift=_shards(base)
        )
        draft = _Draft(base, tables)
        rows = sum(file.rows for file in tables)
        if change.manifest is not None and change.manifest.rows != rows:
            remove_tables(tables, self.table.folder)
            raise Bug(f"{change.name}: the table has {rows:,} rows, its array {change.manifest.rows:,}")
        return draft

    def _on(self, draft: _Draft, base: _Base) -> _Draft:
        """The same rows, written for another base."""
        if base.version == draft.base.version:
            return draft
        shift = _shards(base) - _shards(draft.base)
        tables = move_tables(
            draft.tables, self.table.folder, stem=self._stem(base), shard_shift=shift, schema=self.change.schema
        )
        return _Draft(base, tables)

    def _commit(self, draft: _Draft) -> Ref | None:
        """The Ref, or None where another writer took the version."""
        record = self._record(draft)
        fsync_folder(self.table.folder)  # data/ and arrays/ may be new in it
        try:
            self.table.write(draft.base.version, record)
        except Exception:  # not an interrupt: that goes on, and what was committed stays
            found = self.look()
            if found is not None:
                return found.commit.ref
            if self.table.newest() == draft.base.version:
                raise
            return None
        return record.commit.ref

    def _record(self, draft: _Draft) -> Record:
        change, plan = self.change, self.change.plan
        manifest = None if change.manifest is None else self._manifest(change.manifest, draft.base)
        made = Commit(
            ref=change.name.at(draft.base.version + 1),
            verb=change.verb,
            plan=plan.id,
            recipe=f"{plan.recipe}/{plan.recipe_version}",
            inputs=plan.inputs,
            code=VERSION,
            who=_who(),
            when=now_utc(),
            rows=draft.base.rows + sum(file.rows for file in draft.tables),
            params=plan.params,
            facts=change.facts,
        )
        where = None if manifest is None else manifest.relative_to(self.table.folder).as_posix()
        return Record(made, where, draft.tables, self.id)

    def _manifest(self, own: Manifest, base: _Base) -> Path:
        """Write the version's manifest: the base's shards, as seen from here, and its own."""
        whole = own
        if base.manifest is not None and base.folder is not None:
            old, here = base.manifest, os.path.relpath(base.folder, self.arrays)
            whole = replace(
                own,
                rows=old.rows + own.rows,
                shards=_seen_from(here, old.shards) + own.shards,
                halves=_seen_from(here, old.halves) + own.halves,
            )
        path = write_manifest(self.arrays, whole, file_name=self._manifest_name())
        fsync_folder(self.arrays.parent)
        return path

    def _manifest_name(self) -> str:
        return f"manifest-{self.id}.json"

    def _stem(self, base: _Base) -> str:
        return f"{base.version:012d}-{self.id}"  # names in order of commit: readers get rows in that order

    def _tidy(self, draft: _Draft) -> None:
        """Remove what this attempt wrote, unless it is what was committed."""
        found = self.look()
        if found is None or found.attempt != self.id:
            remove_tables(draft.tables, self.table.folder)
            (self.arrays / self._manifest_name()).unlink(missing_ok=True)


def _base(change: Change, table: ProductTable) -> _Base:
    """What the change builds on; a replace builds on nothing but the number."""
    version = table.newest()
    if change.verb == "replace" or version == 0:
        return _Base(version)
    before = table.record(version)
    path = None if before.manifest is None else table.folder / before.manifest
    manifest = None if path is None else read_manifest(path)
    _check_fits(change, manifest)
    return _Base(version, before.commit.rows, manifest, None if path is None else path.parent)


def _check(change: Change, arrays: Path) -> None:
    """Refuse a change that does not hold together before anything is written."""
    if change.verb not in ("replace", "append"):
        raise Bug(f"{change.name}: verb {change.verb!r} is neither 'replace' nor 'append'")
    if change.plan.target != change.name:
        raise Bug(f"{change.name}: its plan is for {change.plan.target}")
    try:
        json.dumps(dict(change.facts), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise Bug(f"{change.name}: facts that JSON cannot hold: {error}") from error
    own = change.manifest
    if own is None:
        return
    if "shard" not in change.schema.names:
        raise Bug(f"{change.name}: has an array, and its table no column 'shard'")
    ArrayView([(arrays / s.path, s.rows) for s in own.shards], own.dim, dtype=own.dtype).check()
    HalvesView([(arrays / s.path, s.rows) for s in own.halves], own.dim, dtype=own.dtype).check()


def _check_fits(change: Change, old: Manifest | None) -> None:
    own = change.manifest
    if (own is None) != (old is None):
        raise InvalidInput(f"{change.name}: only one of the old and the new rows has an array; use another --into")
    if own is None or old is None:
        return
    for what in ("dtype", "dim", "embedder"):
        found, expected = getattr(own, what), getattr(old, what)
        if found != expected:
            raise InvalidInput(f"{change.name}: found {what} {found}; expected {expected}; use another --into")
    if bool(own.halves) != bool(old.halves) and own.rows and old.rows:
        raise InvalidInput(f"{change.name}: only one of the old and the new rows has halves; use another --into")


def _shards(base: _Base) -> int:
    return 0 if base.manifest is None else len(base.manifest.shards)


def _seen_from(folder: str, shards: tuple[Shard, ...]) -> tuple[Shard, ...]:
    return tuple(replace(shard, path=os.path.normpath(f"{folder}/{shard.path}")) for shard in shards)


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
