"""The Lake: the only door to stored truth. A folder of versioned products; no server, no database.

Any number of processes may read and commit at once. delta-rs must not cross a `fork`: start processes with `spawn`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa

from isthmus.backbone import committing, place
from isthmus.backbone.arrays import ArrayView, HalvesView, Manifest, Shard, read_manifest
from isthmus.backbone.checksum import xxh3_128_file
from isthmus.backbone.committing import Change
from isthmus.backbone.delta import ProductTable
from isthmus.backbone.record import Record
from isthmus.backbone.rows import read_tables
from isthmus.backbone.schema import require_columns
from isthmus.core.commit import Commit
from isthmus.core.errors import Corrupt, InvalidInput, NotFound
from isthmus.core.ref import Name, Ref

__all__ = ["PARTS", "Change", "Lake", "Snapshot"]

_MEND = "restore it from a copy or make the product again under another name (--into)"
PARTS = ("table", "shards", "halves")  # of a version, as far as it has them


@dataclass(frozen=True)
class Snapshot:
    """One version of one product, fixed for ever.

    Args:
        commit:       its record.
        manifest:     of its array, None where it has none.
        array_folder: the folder that the manifest's paths are relative to, None without an array.
    """

    commit: Commit
    manifest: Manifest | None
    array_folder: Path | None
    _table: ProductTable

    def schema(self) -> pa.Schema:
        """Columns of the table."""
        return self._table.schema()

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows in order of commit, at most 65,536 at a time. Raises InvalidInput for an unknown column, Corrupt."""
        ref = self.commit.ref
        if columns is not None:
            require_columns(self.schema().names, columns, str(ref))
        return read_tables(self._table.folder, self._table.files(ref.version), columns)

    def array(self) -> ArrayView:
        """The array, (N, D), by memory map. Raises NotFound where the product has none."""
        manifest, folder = self._with_array()
        return ArrayView([(folder / s.path, s.rows) for s in manifest.shards], manifest.dim, dtype=manifest.dtype)

    def halves(self) -> HalvesView:
        """The halves, (2, N, D), by memory map. Raises NotFound where the product has none."""
        manifest, folder = self._with_array()
        if manifest.rows and not manifest.halves:
            raise NotFound(f"{self.commit.ref} has an array and no halves")
        return HalvesView([(folder / s.path, s.rows) for s in manifest.halves], manifest.dim, dtype=manifest.dtype)

    def _with_array(self) -> tuple[Manifest, Path]:
        if self.manifest is None or self.array_folder is None:
            raise NotFound(f"{self.commit.ref} has a table and no array")
        return self.manifest, self.array_folder


class Lake:
    """Products by name and version under `root`. Make one with `Lake.open`."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root, self.scratch = root, scratch

    @staticmethod
    def open(root: str | Path, *, scratch: str | Path | None = None, create: bool = True) -> Lake:
        """The lake in the folder `root`, made where the folder is missing or empty.

        Safe in any number of processes at once. An existing lake is opened without writing.

        Args:   scratch: where work in progress lies; `<root>/_scratch` where it is None. Not made here.
        Raises: NotFound: no lake, and `create` is off. InvalidInput: not a lake, or of another version, or no access.
        """
        folder = Path(root).expanduser().absolute() if "://" not in str(root) else Path(root)
        place.settle(folder, create=create)
        where = folder / "_scratch" if scratch is None else Path(scratch).expanduser().absolute()
        return Lake(folder, where)

    def names(self) -> list[Name]:
        """Products with at least one commit, sorted."""
        found = []
        for log in self.root.glob("*/*/_delta_log"):
            domain, product = log.parent.parent.name, log.parent.name
            try:
                name = Name(domain, product)
            except InvalidInput:  # a folder of somebody else's
                continue
            if self._table(name).newest() > 0:
                found.append(name)
        return sorted(found)

    def newest(self, name: Name) -> Ref:
        """The newest version. Raises NotFound with the nearest names."""
        version = self._table(name).newest()
        if version < 1:
            raise self._unknown(name)
        return name.at(version)

    def resolve(self, text: str) -> Ref:
        """The Ref meant by `gut.reads` (newest), `gut.reads@12`, or `gut.reads@2026-11-23T10:00`.

        A time is UTC unless it says otherwise, and means the newest version committed at or before it; a date alone
        means its whole day. Raises InvalidInput, and NotFound with what there is.
        """
        head, at, selector = text.rpartition("@")
        name = Name.parse(head if at else text)
        newest = self.newest(name)
        if not at:
            return newest
        if selector.isascii() and selector.isdigit():
            return self._table(name).record(Ref.parse(text).version).commit.ref
        return self._at_time(name, selector)

    def find(self, name: Name, plan_id: str) -> Ref | None:
        """The version that carries out the plan, or None; also where newer versions exist."""
        found = self._table(name).find(plan_id)
        return None if found is None else found.commit.ref

    def array_folder(self, name: Name, plan_id: str) -> Path:
        """The folder where the shards of a plan are written before its commit; made here.

        Raises InvalidInput where it may not be written, WontFit on a full disk.
        """
        folder = self._folder(name) / "arrays" / plan_id
        place.make_folder(folder)
        return folder

    def commit(self, change: Change) -> Ref:
        """Make `change` the next version of its product.

        Atomic: readers see all of it or none, whatever is killed when. Idempotent in the plan: a second call, in any
        process, returns the Ref of the first and writes nothing. Writers of other plans wait for each other. Holds one
        row group (131,072 rows) and one batch in memory. Everything is flushed to disk before it is visible.

        Raises: Conflict: other writers won a hundred times in a row. InvalidInput: the product has other columns or
                another array. WontFit: no space. Corrupt: a shard is not what the manifest says. The lake is as before.
        """
        arrays = self._folder(change.name) / "arrays" / change.plan.id
        return committing.commit(change, self._table(change.name), arrays)

    def read(self, ref: Ref) -> Snapshot:
        """One version. Raises NotFound."""
        table = self._table(ref.name)
        if table.newest() < 1:
            raise self._unknown(ref.name)
        found = table.record(ref.version)
        if found.manifest is None:
            return Snapshot(found.commit, None, None, table)
        path = table.folder / found.manifest
        return Snapshot(found.commit, _manifest(path), path.parent, table)

    def table(self, ref: Ref, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows of one version in memory, in order of commit."""
        snapshot = self.read(ref)
        schema = snapshot.schema()
        if columns is not None:
            require_columns(schema.names, columns, str(ref))
            schema = pa.schema([schema.field(name) for name in columns])
        batches = (batch.cast(schema) for batch in snapshot.batches(columns))
        return pa.Table.from_batches(batches, schema)

    def array(self, ref: Ref) -> ArrayView:
        """The array of one version, (N, D), by memory map. Raises NotFound where it has none."""
        return self.read(ref).array()

    def halves(self, ref: Ref) -> HalvesView:
        """The halves of one version, (2, N, D), by memory map. Raises NotFound where it has none."""
        return self.read(ref).halves()

    def history(self, name: Name) -> list[Commit]:
        """All commits of a product, newest first. Raises NotFound."""
        commits = [record.commit for record in self._table(name).records()]
        if not commits:
            raise self._unknown(name)
        return commits

    def since(self, cursor: Mapping[str, int]) -> list[Commit]:
        """Commits newer than the cursor, oldest first; the cursor maps `gut.reads` to the last version seen."""
        fresh: list[Commit] = []
        for name in self.names():
            table = self._table(name)
            seen = cursor.get(str(name), 0)
            fresh += [table.record(version).commit for version in range(seen + 1, table.newest() + 1)]
        return sorted(fresh, key=lambda commit: (commit.when, commit.ref))

    def verify(self, ref: Ref, parts: Collection[str] = PARTS) -> int:
        """Read every byte of one version again and compare checksums; returns the bytes read. Nothing is remembered.

        Args:   parts: which of `table`, `shards` and `halves` to read; all of them where it is left out.
        Raises: Corrupt for the first file that is missing, cut or changed: file, found, expected. NotFound.
        """
        table, snapshot = self._table(ref.name), self.read(ref)
        expected: dict[Path, str] = {}
        if "table" in parts:
            expected |= {table.folder / path: digest for path, digest in self._tables_of(table, ref.version).items()}
        if snapshot.manifest is not None and snapshot.array_folder is not None:
            manifest = snapshot.manifest
            shards: tuple[Shard, ...] = ()
            if "shards" in parts:
                snapshot.array().check()
                shards += manifest.shards
            if "halves" in parts and manifest.halves:
                snapshot.halves().check()
                shards += manifest.halves
            expected |= {snapshot.array_folder / shard.path: shard.xxh3_128 for shard in shards}
        return sum(_verified(path, digest) for path, digest in expected.items())

    def _tables_of(self, table: ProductTable, version: int) -> dict[str, str]:
        """Parquet files of a version with their checksums, from its own record and those it appends to."""
        found: dict[str, str] = {}
        while version > 0:
            record: Record = table.record(version)
            found |= {file.path: file.xxh3_128 for file in record.tables}
            if record.commit.verb == "replace":
                break
            version -= 1
        return found

    def _at_time(self, name: Name, selector: str) -> Ref:
        until = _moment(selector, name)
        commits = self.history(name)
        for commit in commits:
            if datetime.fromisoformat(commit.when) <= until:
                return commit.ref
        raise NotFound(f"{name} has no version at {until.isoformat()}; its first is of {commits[-1].when}")

    def _unknown(self, name: Name) -> NotFound:
        known = [str(one) for one in self.names()]
        near = get_close_matches(str(name), known, n=3, cutoff=0.4)
        if not known:
            return NotFound(f"{name} does not exist: the lake {self.root} is empty")
        about = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(known[:10])}"
        return NotFound(f"{name} does not exist in the lake {self.root}; {about}")

    def _folder(self, name: Name) -> Path:
        return self.root / name.domain / name.product

    def _table(self, name: Name) -> ProductTable:
        return ProductTable(self._folder(name), name)


def _moment(selector: str, name: Name) -> datetime:
    try:
        if len(selector) == len("2026-11-23"):
            return datetime.combine(date.fromisoformat(selector), time.max, UTC)
        found = datetime.fromisoformat(selector)
    except ValueError:
        raise InvalidInput(
            f"{selector!r} is neither a version nor a time; write {name}@12 or {name}@2026-11-23T10:00 (UTC)"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _manifest(path: Path) -> Manifest:
    try:
        return read_manifest(path)
    except NotFound:
        raise Corrupt(f"{path}: found no file; expected the manifest of an array; restore it from a copy") from None


def _verified(path: Path, expected: str) -> int:
    try:
        found = xxh3_128_file(path)
    except NotFound:
        raise Corrupt(f"{path}: found no file; expected checksum {expected}; {_MEND}") from None
    if found != expected:
        raise Corrupt(f"{path}: found checksum {found}; expected {expected}; {_MEND}")
    return path.stat().st_size
