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
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction

from isthmus.backbone import record as records
from isthmus.backbone.record import Record
from isthmus.backbone.rows import TableFile
from isthmus.core.errors import Conflict, Corrupt, InvalidInput, IsthmusError, NotFound, Unavailable, WontFit
from isthmus.core.files import free_bytes, fsync_folder, human_bytes
from isthmus.core.ref import Name

_VERSION_FILE = re.compile(r"(\d{20})\.json")
_FULL_DISK = ("no space left", "file too large", "quota exceeded")
_NO_RIGHTS = ("permission denied", "operation not permitted", "read-only file system")
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
        with TemporaryDirectory(prefix=".new-", dir=self.folder) as fresh, self._errors_told():
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
        path = self._file(0)
        text = self._read(0) if path.exists() or self.newest() < 0 else b""
        meta = _action(text, "metaData", path)
        try:
            return pa.schema(DeltaSchema.from_json(meta["schemaString"]).to_arrow())
        except (KeyError, TypeError, ValueError, DeltaError) as error:
            raise _corrupt(path, "no columns", "the first version, which names the columns") from error

    def record(self, version: int) -> Record:
        """The record of one version. Raises NotFound, or Corrupt for a version that isthmus did not commit."""
        ref = self.name.at(version)
        info = _action(self._read(version), "commitInfo", self._file(version))
        return records.decode(info, ref)

    def find(self, plan: str, *, above: int = 0) -> Record | None:
        """The record of the commit that carries out `plan`, looked for from the newest version down to `above`.

        Raises Corrupt for a version that cannot be read: nobody begins work that could not be committed.
        """
        for version in range(self.newest(), above, -1):
            text = self._read(version)
            info = _action(text, "commitInfo", self._file(version))
            if plan.encode() in text:
                found = records.decode(info, self.name.at(version))
                if found.commit.plan == plan:
                    return found
        return None

    def records(self) -> Iterator[Record]:
        """All records, newest first."""
        for version in range(self.newest(), 0, -1):
            yield self.record(version)

    def files(self, version: int) -> list[str]:
        """Parquet files of one version relative to the folder, in order of commit."""
        with self._errors_told():
            actions = DeltaTable(self._uri, version=version).get_add_actions(flatten=True)
            return sorted(pa.table(actions).column("path").to_pylist())

    def write(self, base: int, record: Record) -> None:
        """Make version `base + 1` of `record`, or fail where that version is there already.

        The caller looks for its plan again on any error: an error may come after the commit.
        """
        when = int(datetime.fromisoformat(record.commit.when).timestamp() * 1000)
        with self._errors_told():
            table = DeltaTable(self._uri, version=base)
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

    def _file(self, version: int) -> Path:
        return self._log / f"{version:020d}.json"

    def _read(self, version: int) -> bytes:
        try:
            return self._file(version).read_bytes()
        except FileNotFoundError:
            newest = self.newest()
            raise NotFound(
                f"{self.name}@{version} does not exist; "
                + (f"{self.name} has versions 1 to {newest}" if newest > 0 else f"{self.name} has no versions yet")
            ) from None

    def _flush(self, version: int) -> None:
        """Bring a version to the platter: delta-rs links the file into place and leaves the rest to the system."""
        with suppress(FileNotFoundError), self._file(version).open("rb") as handle:
            os.fsync(handle.fileno())
        fsync_folder(self._log)

    @contextmanager
    def _errors_told(self) -> Iterator[None]:
        """Turn what the table engine raises into errors that say what to do."""
        try:
            yield
        except (DeltaError, OSError, ValueError) as error:
            raise self._told(error) from error

    def _told(self, error: Exception) -> IsthmusError:
        text = " ".join(str(error).split())[:300]
        if any(words in text.lower() for words in _FULL_DISK):
            return WontFit(
                f"{self.folder}: no space left while committing ({human_bytes(free_bytes(self.folder))} free); nothing "
                "was committed: free some space or choose another lake with --lake, then run the same command again"
            )
        if any(words in text.lower() for words in _NO_RIGHTS):
            return InvalidInput(
                f"{self.folder}: cannot be written to ({text}); nothing was committed: choose a lake that you may "
                "write to with --lake"
            )
        if isinstance(error, CommitFailedError):
            return Conflict(f"{self.folder}: another writer was quicker ({text}); run the same command again")
        if isinstance(error, OSError):
            return Unavailable(f"{self.folder}: the disk does not answer as it should ({text}); try again later")
        return _corrupt(self._log, f"a log that cannot be read ({text})", "the commits of a product")


def _add(file: TableFile, when_ms: int) -> AddAction:
    return AddAction(
        path=file.path,
        size=file.size,
        partition_values={},
        modification_time=when_ms,
        data_change=True,
        stats=json.dumps({"numRecords": file.rows}),
    )


def _action(text: bytes, kind: str, path: Path) -> dict[str, Any]:
    """The first action of a kind in one file of the log (Delta protocol: one JSON action a line).

    Raises Corrupt where there is none.
    """
    try:
        for line in text.splitlines():
            action = json.loads(line)
            if kind in action:
                found: dict[str, Any] = action[kind]
                return found
    except (ValueError, TypeError) as error:
        raise _corrupt(path, f"a commit that is not JSON ({error})", "a commit") from error
    raise _corrupt(path, f"no {kind!r}", "a commit")


def _corrupt(path: Path, found: str, expected: str) -> Corrupt:
    return Corrupt(
        f"{path}: found {found}; expected {expected}; restore it from a copy, or make the product again under another "
        "name (--into)"
    )
