"""Takes a tenant, or a recipient, out of raw and quarantine in one commit; the ledger keeps the numbers.

A tenant's rows are removed. A recipient is unlinked: the identifier becomes null and the event stays as a
count, so that nothing that was built of counts changes (ADR 0015). The caller holds the ingest lock.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from letterpress.lake.identity import IdentityChange, Keys
from letterpress.lake.identity_store import keys_of_rows, open_identity, stage_removal
from letterpress.lake.ledger import (
    change_identity,
    finish_moves,
    ledger_path,
    let_files_be_read_again,
    open_ledger,
)
from letterpress.lake.masking import EXTRA
from letterpress.lake.mentions import Overwriting, names_of, pseudonyms_of, rows_to_overwrite
from letterpress.lake.quarantine import QuarantinedLine, raw_of, read_quarantine_file
from letterpress.lake.retention import PERSONAL
from letterpress.lake.rewrite import (
    Change,
    Mask,
    Rewrite,
    RewrittenFile,
    Rule,
    commit_rewrite,
    drop_empty_files,
    stage_rewrite,
    staging_folder,
)
from letterpress.lake.stored_files import hash_stored
from letterpress.lake.subject import Subject
from letterpress.lake.tenant_keys import TenantKeys, key_id_of
from letterpress.settings import Home

FORGOTTEN = "forgotten"
"""Stands for the name of a landed file that named the subject."""
_SCHEMA = """
create table if not exists erasures (
    request text not null, started_at text not null, finished_at text, files text not null,
    raw_removed integer not null, raw_unlinked integer not null, quarantine_removed integer not null,
    primary key (request, started_at)
)
"""
_READ = (
    "select started_at, files, raw_removed, raw_unlinked, quarantine_removed from erasures "
    "where request = ? and finished_at is null"
)


class Erased(msgspec.Struct, frozen=True):
    """What left raw and quarantine for one request, also before a crash that it goes on from."""

    started_at: str
    files: tuple[RewrittenFile, ...]
    raw_removed: int
    raw_unlinked: int
    quarantine_removed: int

    @property
    def raw_overwritten(self) -> int:
        """Rows of raw in whose texts the recipient was named."""
        return sum(each.overwritten for each in self.files)

    @property
    def changed_what_is_built_on(self) -> bool:
        """Whether marts and snapshots may hold what left raw."""
        return bool(self.raw_removed) or any({*each.columns} - {EXTRA} for each in self.files)

    @property
    def found_something(self) -> bool:
        return any((self.raw_removed, self.raw_unlinked, self.raw_overwritten, self.quarantine_removed))


def count_traces(home: Home, subject: Subject) -> Erased:
    """What `erase` would take out; nothing is changed.

    Raises:
        StorageError: a file is damaged.
    """
    keys = TenantKeys(home.keys)
    staged = stage_rewrite(home, _columns(subject), _rule(subject, keys), dry_run=True)
    quarantined = sum(_split(path, subject, keys)[1] for path in _quarantine(home))
    return Erased("", tuple(staged.files), staged.removed, staged.unlinked, quarantined)


def erase(home: Home, subject: Subject, request: str, at: datetime) -> Erased:
    """Take the subject out, and say what left; a request that was interrupted goes on where it was.

    Raises:
        StorageError: a file is damaged; nothing was changed.
    """
    if ledger_path(home).is_file():
        finish_moves(home)
        drop_empty_files(home)
    before = _unfinished(home, request)
    keys = TenantKeys(home.keys)
    staged = stage_rewrite(home, _columns(subject), _rule(subject, keys))
    raw_removed, raw_unlinked = staged.removed, staged.unlinked
    quarantined = _stage_quarantine(home, subject, staged, keys)
    done = Erased(
        at.isoformat() if before is None else before.started_at,
        (*(before.files if before else ()), *staged.files),
        raw_removed + (before.raw_removed if before else 0),
        raw_unlinked + (before.raw_unlinked if before else 0),
        quarantined + (before.quarantine_removed if before else 0),
    )
    forgotten = stage_removal(home, _keys_of_removed(home, subject, staged))
    commit_rewrite(home, staged, lambda ledger: _note(ledger, subject, request, done, forgotten))
    open_identity(home)  # deletes the runs that held the keys
    return done


def _keys_of_removed(home: Home, subject: Subject, staged: Rewrite) -> Keys:
    """The keys of the rows that go: their events are new when they come again (ADR 0022)."""
    paths = [home.root / each.path for each in staged.files if each.path.startswith("raw/") and each.removed]
    found = [keys_of_rows(path, of_tenant=subject.tenant) for path in paths]
    return np.concatenate([*found, np.zeros((0, 2), np.uint64)])


def finish(home: Home, request: str, at: datetime) -> None:
    """Close the request: the next one of the same subject counts anew. What it freed is overwritten."""
    with open_ledger(home) as ledger:
        ledger.execute(
            "update erasures set finished_at = ? where request = ? and finished_at is null",
            (at.isoformat(), request),
        )


def _unfinished(home: Home, request: str) -> Erased | None:
    with open_ledger(home) as ledger:
        ledger.execute(_SCHEMA)
        row = ledger.execute(_READ, (request,)).fetchone()
    if row is None:
        return None
    files = msgspec.json.decode(row[1], type=tuple[RewrittenFile, ...])
    return Erased(row[0], files, *row[2:])


def _note(
    ledger: sqlite3.Connection, subject: Subject, request: str, done: Erased, forgotten: IdentityChange
) -> None:
    """The numbers, and no name of the subject in what the ledger says of landed files."""
    change_identity(ledger, forgotten)
    if done.raw_removed or done.quarantine_removed:
        let_files_be_read_again(ledger)
    ledger.execute(
        "insert or replace into erasures values (?, ?, null, ?, ?, ?, ?)",
        (
            request,
            done.started_at,
            msgspec.json.encode(done.files).decode(),
            done.raw_removed,
            done.raw_unlinked,
            done.quarantine_removed,
        ),
    )
    for file_id, path, sha256 in ledger.execute("select file_id, path, sha256 from files").fetchall():
        if subject.is_named_in(path.encode()):
            ledger.execute(
                "update files set path = ? where file_id = ?", (f"{FORGOTTEN}-{sha256[:12]}", file_id)
            )
    if subject.kind == "tenant":
        tables = {name for (name,) in ledger.execute("select name from sqlite_master where type = 'table'")}
        if "tenants" in tables:
            ledger.execute("delete from tenants where tenant = ?", (subject.tenant,))


def _columns(subject: Subject) -> tuple[str, ...] | None:
    """What says whether a row is of the subject: its tenant, or any text of it."""
    return ("tenant",) if subject.recipient is None else None


def _rule(subject: Subject, keys: TenantKeys) -> Rule:
    secret = secrets.token_bytes(32)
    return lambda _, rows: _judge(subject, rows, keys, secret)


def _judge(subject: Subject, rows: pa.Table, keys: TenantKeys, secret: bytes) -> Change:
    """Which rows go, in which the identifier goes, and in which a text is overwritten."""
    nobody = np.zeros(len(rows), bool)
    of_tenant = ~nobody if subject.tenant is None else _equal(rows["tenant"], subject.tenant)
    if subject.recipient is None:
        return Change(of_tenant)
    tenants = rows["tenant"].unique().to_pylist()
    declared = [name for name in PERSONAL if name in rows.column_names]
    known_as = pa.array(sorted(pseudonyms_of(subject, tenants, keys) | subject.spellings), pa.string())
    unlink = {name: of_tenant & _mask(pc.is_in(rows[name], known_as)) for name in declared}
    overwriting = Overwriting(names_of(subject, tenants, keys), secret)
    overwrite = rows_to_overwrite(rows, of_tenant, overwriting, declared)
    return Change(nobody, unlink, overwrite, overwriting.column)


def _equal(column: pa.ChunkedArray, value: str) -> Mask:
    return _mask(pc.fill_null(pc.equal(column, value), fill_value=False))


def _mask(column: pa.ChunkedArray) -> Mask:
    return np.asarray(column.to_numpy(), bool)


def _quarantine(home: Home) -> list[Path]:
    return sorted(home.quarantine.glob("[!.]*.jsonl"))


def _split(path: Path, subject: Subject, keys: TenantKeys) -> tuple[list[bytes], int]:
    """The lines of a quarantine file that stay, and how many of its lines are of or name the subject.

    A line whose key was destroyed before is unreadable for everybody and stays.
    """
    kept: list[bytes] = []
    gone = 0
    for text, line in read_quarantine_file(path):
        if _is_of(subject, line, raw_of(line, keys)):
            gone += 1
        else:
            kept.append(_without_file_name(line, text, subject))
    return kept, gone


def _is_of(subject: Subject, line: QuarantinedLine, raw: bytes | None) -> bool:
    if subject.kind == "tenant" and line.key == key_id_of(subject.tenant or ""):
        return True
    return raw is not None and subject.is_named_in(raw) and _may_be_of_tenant(subject, raw)


def _without_file_name(line: QuarantinedLine, text: bytes, subject: Subject) -> bytes:
    """`text`, a line of somebody else, unless the file that it came from was named after the subject."""
    if not subject.is_named_in(line.file.encode()):
        return text
    return msgspec.json.encode(msgspec.structs.replace(line, file=FORGOTTEN)) + b"\n"


def _may_be_of_tenant(subject: Subject, line: bytes) -> bool:
    """Whether a line that names the recipient may be of the subject's tenant; a broken one always may."""
    if subject.tenant is None or subject.kind == "tenant":
        return True
    try:
        tenant = json.loads(line).get("tenant")
    except (ValueError, AttributeError, RecursionError):
        return True
    return not isinstance(tenant, str) or tenant == subject.tenant


def _stage_quarantine(home: Home, subject: Subject, staged: Rewrite, keys: TenantKeys) -> int:
    folder = home.raw / ".staging"
    if not folder.is_dir():
        staging_folder(home)
    total = 0
    for number, path in enumerate(_quarantine(home)):
        kept, gone = _split(path, subject, keys)
        if gone or b"".join(kept) != path.read_bytes():
            total += gone
            target = folder / f"quarantine-{number:06d}.jsonl"
            target.write_bytes(b"".join(kept))
            before, after = hash_stored(path), hash_stored(target)
            staged.moves.append((target, path))
            staged.files.append(RewrittenFile(str(path.relative_to(home.root)), gone, 0, before, after))
    return total
