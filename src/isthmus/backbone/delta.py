"""One product's Delta table: its log, its files, and the one write that either happens or does not.

delta-rs keeps threads that do not survive a `fork`: processes that use this module are spawned.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Transaction
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction

from isthmus.backbone import record as records
from isthmus.backbone.record import Record
from isthmus.backbone.rows import TableFile
from isthmus.core.errors import Corrupt, NotFound, WontFit
from isthmus.core.files import free_bytes, fsync_folder, human_bytes
from isthmus.core.ref import Name

_VERSION_FILE = re.compile(r"(\d{20})\.json")
_FULL_DISK = ("no space left", "file too large", "quota exceeded")
_FOREVER = {  # history is the product: no version is ever cleaned away by the engine
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
}


class ProductTable:
    """The Delta table in `folder`; holds nothing open, every call looks at the disk."""

    def __init__(self, folder: Path, name: Name) -> None:
        self.folder, self.name = folder, name
        self._log = folder / "_delta_log"
        self._uri = folder.as_uri()  # a plain path with a per cent sign would be decoded

    def create(self, schema: pa.Schema) -> None:
        """Make version 0, the empty table, unless it is there; any number of processes may do so at once."""
        if self.newest() >= 0:
            return
        # delta-rs' own create lets the loser of a race make version 1, now and then: so each writer makes a table of
        # its own, and the first to link its log into place wins
        self._log.mkdir(parents=True, exist_ok=True)
        first = f"{0:020d}.json"
        with TemporaryDirectory(prefix=".new-", dir=self.folder) as fresh, self._full_disk_told():
            DeltaTable.create(Path(fresh).as_uri(), schema=schema, mode="error", configuration=_FOREVER)
            with suppress(FileExistsError):
                os.link(Path(fresh) / "_delta_log" / first, self._log / first)
        self._flush(0)
        for folder in (self.folder, self.folder.parent, self.folder.parent.parent):
            fsync_folder(folder)

    def newest(self) -> int:
        """The highest version, -1 where there is no table; 0 is the empty table."""
        try:
            names = [_VERSION_FILE.fullmatch(path.name) for path in self._log.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return -1
        return max((int(match[1]) for match in names if match), default=-1)

    def schema(self) -> pa.Schema:
        """The columns as Arrow, from version 0, which gave them for good: no need to load the whole table."""
        meta = _action(self._read(0), "metaData", self._log)
        return pa.schema(DeltaSchema.from_json(meta["schemaString"]).to_arrow())

    def record(self, version: int) -> Record:
        """The record of one version. Raises NotFound, or Corrupt for a version that isthmus did not commit."""
        ref = self.name.at(version)
        info = _action(self._read(version), "commitInfo", self._log)
        return records.decode(info, ref)

    def find(self, plan: str, *, above: int = 0) -> Record | None:
        """The record of the commit that carries out `plan`, looked for from the newest version down to `above`."""
        for version in range(self.newest(), above, -1):
            text = self._read(version)
            if plan.encode() in text:
                found = records.decode(_action(text, "commitInfo", self._log), self.name.at(version))
                if found.commit.plan == plan:
                    return found
        return None

    def records(self) -> Iterator[Record]:
        """All records, newest first."""
        for version in range(self.newest(), 0, -1):
            yield self.record(version)

    def files(self, version: int) -> list[str]:
        """Parquet files of one version relative to the folder, in order of commit."""
        actions = DeltaTable(self._uri, version=version).get_add_actions(flatten=True)
        return sorted(pa.table(actions).column("path").to_pylist())

    def write(self, base: int, record: Record) -> None:
        """Make version `base + 1` of `record`, or fail where that version is there already.

        The caller looks for its plan again on any error: an error may come after the commit.
        """
        table = DeltaTable(self._uri, version=base)
        when = int(datetime.fromisoformat(record.commit.when).timestamp() * 1000)
        with self._full_disk_told():
            table.create_write_transaction(
                [_add(file, when) for file in record.tables],
                "append" if record.commit.verb == "append" else "overwrite",
                table.schema(),
                None,
                commit_properties=CommitProperties(
                    custom_metadata=records.encode(record),
                    max_commit_retries=0,
                    app_transactions=[Transaction(record.commit.plan, 1)],
                ),
                post_commithook_properties=PostCommitHookProperties(cleanup_expired_logs=False),
            )
        self._flush(base + 1)

    def _read(self, version: int) -> bytes:
        path = self._log / f"{version:020d}.json"
        try:
            return path.read_bytes()
        except FileNotFoundError:
            newest = self.newest()
            raise NotFound(
                f"{self.name}@{version} does not exist; "
                + (f"{self.name} has versions 1 to {newest}" if newest > 0 else f"{self.name} has no versions yet")
            ) from None

    def _flush(self, version: int) -> None:
        """Bring a version to the platter: delta-rs links the file into place and leaves the rest to the system."""
        with suppress(FileNotFoundError), (self._log / f"{version:020d}.json").open("rb") as handle:
            os.fsync(handle.fileno())
        fsync_folder(self._log)

    @contextmanager
    def _full_disk_told(self) -> Iterator[None]:
        try:
            yield
        except (DeltaError, OSError) as error:
            if not any(words in str(error).lower() for words in _FULL_DISK):
                raise
            raise WontFit(
                f"{self.folder}: no space left while committing ({human_bytes(free_bytes(self.folder))} free); nothing "
                "was committed: free some space or choose another lake with --lake, then run the same command again"
            ) from error


def _add(file: TableFile, when_ms: int) -> AddAction:
    return AddAction(
        path=file.path,
        size=file.size,
        partition_values={},
        modification_time=when_ms,
        data_change=True,
        stats=json.dumps({"numRecords": file.rows}),
    )


def _action(text: bytes, kind: str, log: Path) -> dict[str, Any]:
    """The first action of a kind in one file of the log (Delta protocol: one JSON action a line), {} without one."""
    try:
        for line in text.splitlines():
            action = json.loads(line)
            if kind in action:
                found: dict[str, Any] = action[kind]
                return found
    except ValueError as error:
        raise Corrupt(f"{log}: found a commit that is not JSON ({error}); restore it from a copy") from error
    return {}
