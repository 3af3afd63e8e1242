"""The ledger: what became of every line of every file, which hours changed, and moves still to be done.

Writing here is the commit of an ingest: everything before can be thrown away, everything after is redone
from the list of moves.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from letterpress.errors import StorageError
from letterpress.lake.durability import sync_paths
from letterpress.lake.identity import NO_CHANGE, IdentityChange, RunFile
from letterpress.lake.landing import delete_landed
from letterpress.lake.partitions import HourRange, coalesce_hours, format_hour, parse_hour
from letterpress.lake.removed_hours import SCHEMA as REMOVED_HOURS
from letterpress.lake.stored_files import SCHEMA as STORED_FILES
from letterpress.lake.stored_files import (
    StoredFile,
    delete_replaced,
    describe_moves,
    hash_stored,
    record_files,
    recorded_files,
)
from letterpress.lake.unbuilt_hours import SCHEMA as UNBUILT_HOURS
from letterpress.lake.unbuilt_hours import record_unbuilt
from letterpress.settings import Home

_SCHEMA = """
create table if not exists files (
    file_id integer primary key, batch integer not null, path text not null, sha256 text not null,
    bytes integer not null, read integer not null, raw integer not null, duplicate integer not null,
    quarantined integer not null, ingested_at text not null,
    check (read = raw + duplicate + quarantined)
);
create table if not exists reasons (
    file_id integer not null references files, code text not null, lines integer not null,
    primary key (file_id, code)
);
create table if not exists hours (
    recommender text not null, hour text not null, batch integer not null,
    announced integer not null default 0,
    primary key (recommender, hour)
);
create table if not exists masked (
    batch integer not null, event text not null, field text not null, kind text not null,
    found integer not null, primary key (batch, event, field, kind)
);
create table if not exists requeued (
    file text not null, code text not null, lines integer not null, at text not null
);
create table if not exists moves (source text not null, target text not null);
create table if not exists replaced (path text primary key);
create table if not exists deletions (path text not null, sha256 text not null);
create table if not exists identity_runs (name text primary key, n_keys integer not null);
create table if not exists unknown_files (sha256 text primary key);
create table if not exists adjustments (
    place text not null, rows integer not null, why text not null
);
create table if not exists tenants (tenant text primary key, latest_at text not null);
create index if not exists files_by_checksum on files (sha256);
"""


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of the lines of one file. `read = raw + duplicate + quarantined`, always."""

    path: str
    read: int
    raw: int
    duplicate: int
    quarantined: int
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Codes of the quarantined lines, with how many lines have each."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file's report with what identifies the file."""

    report: FileReport
    sha256: str
    n_bytes: int
    landed: str | None = None
    """Its path below landing, when the report's was masked or speaks of it unencrypted."""


def ledger_path(home: Home) -> Path:
    """Where the ledger lies."""
    return home.raw / "ledger.sqlite"


@contextmanager
def open_ledger(home: Home) -> Iterator[sqlite3.Connection]:
    """A connection to `raw/ledger.sqlite`, committed when the block ends well.

    Raises:
        StorageError: the ledger cannot be read or written.
    """
    home.raw.mkdir(parents=True, exist_ok=True)
    path = ledger_path(home)
    try:
        connection = sqlite3.connect(path, timeout=30.0)
        try:
            connection.execute("pragma secure_delete = on")  # the names of landed files are their senders'
            connection.executescript(_SCHEMA + STORED_FILES + UNBUILT_HOURS + REMOVED_HOURS)
            with connection:
                yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StorageError(
            f"expected to write the ledger {path}, found: {error}. Free some space or restore it, "
            "then run ingest again; nothing was lost."
        ) from error


def commit_batch(
    home: Home,
    entries: Sequence[FileEntry],
    hours: Mapping[tuple[str, str], datetime],
    moves: Iterable[tuple[Path, Path]],
    at: datetime,
    *,
    identity: IdentityChange = NO_CHANGE,
    latest: Mapping[str, datetime] = MappingProxyType({}),
    masked: Mapping[tuple[str, str, str], int] = MappingProxyType({}),
) -> None:
    """Record files, changed hours (recommender, hour) and the moves to do, all or nothing.

    `hours` says of each when the first of the events that it gains was received.
    The landing files of `entries` are deleted with the moves. `identity` are the runs of keys that change,
    `latest` the last event time of every tenant, `masked` how often personal data was found: (event type,
    field, kind).
    """
    moves = list(moves)
    written = describe_moves(home, moves)
    with open_ledger(home) as ledger:
        (batch,) = ledger.execute("select coalesce(max(batch), 0) + 1 from files").fetchone()
        for entry in entries:
            _replace_quarantined(ledger, home, entry)
            _insert_file(ledger, batch, entry, at)
        record_files(ledger, written, batch)
        ledger.executemany(
            "insert into hours (recommender, hour, batch) values (?, ?, ?) "
            "on conflict do update set batch = excluded.batch, announced = 0",
            [(recommender, hour, batch) for recommender, hour in hours],
        )
        ledger.executemany(
            "insert into masked values (?, ?, ?, ?, ?)",
            [(batch, *what, found) for what, found in sorted(masked.items())],
        )
        record_unbuilt(ledger, hours)
        insert_moves(ledger, home, moves)
        read = [(entry.landed or entry.report.path, entry.sha256) for entry in entries]
        ledger.executemany("insert into deletions values (?, ?)", read)
        ledger.executemany("delete from unknown_files where sha256 = ?", [(sha256,) for _, sha256 in read])
        change_identity(ledger, identity)
        ledger.executemany(
            "insert into tenants values (?, ?) "
            "on conflict do update set latest_at = max(latest_at, excluded.latest_at)",
            [(tenant, _instant(moment)) for tenant, moment in sorted(latest.items())],
        )


def commit_requeue(
    home: Home,
    taken: Sequence[tuple[str, str, int]],
    moves: Iterable[tuple[Path, Path]],
    at: datetime,
) -> None:
    """Record that lines left quarantine for raw: (quarantine file, code, lines), with the moves to do.

    What a file's own entry says stays: `quarantined` counts what was put aside when it was read.
    """
    moves = list(moves)
    written = describe_moves(home, moves)
    with open_ledger(home) as ledger:
        (batch,) = ledger.execute("select coalesce(max(batch), 0) from files").fetchone()
        record_files(ledger, written, batch)
        ledger.executemany(
            "insert into requeued values (?, ?, ?, ?)",
            [(file, code, lines, at.isoformat()) for file, code, lines in taken],
        )
        adjust_rows(ledger, "quarantine", -sum(lines for _, _, lines in taken), "taken back")
        insert_moves(ledger, home, moves)


def insert_moves(ledger: sqlite3.Connection, home: Home, moves: Iterable[tuple[Path, Path]]) -> None:
    """Enter renames (source, target) that are owed once the transaction is committed."""
    root = home.root
    ledger.executemany(
        "insert into moves values (?, ?)",
        [(str(source.relative_to(root)), str(target.relative_to(root))) for source, target in moves],
    )


def _instant(moment: datetime) -> str:
    """Sorts as text as it does as time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _replace_quarantined(ledger: sqlite3.Connection, home: Home, entry: FileEntry) -> None:
    """Bad lines of a file that is read again take the place of those that are left of its first reading.

    Some of them may have been taken back or forgotten since, so they are counted where they lie.
    """
    left = home.quarantine / f"{entry.sha256[:16]}.jsonl"
    if entry.report.quarantined and left.is_file():
        adjust_rows(ledger, "quarantine", -left.read_bytes().count(b"\n"), "its file was read again")


def change_identity(ledger: sqlite3.Connection, change: IdentityChange) -> None:
    """Take over the runs of a change, whose files are on disk."""
    ledger.executemany("delete from identity_runs where name = ?", [(name,) for name in change.dropped])
    ledger.executemany(
        "insert or replace into identity_runs values (?, ?)",
        [(file.name, file.n_keys) for file in change.added],
    )


def _insert_file(ledger: sqlite3.Connection, batch: int, entry: FileEntry, at: datetime) -> None:
    report = entry.report
    cursor = ledger.execute(
        "insert into files (batch, path, sha256, bytes, read, raw, duplicate, quarantined, ingested_at) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            batch,
            report.path,
            entry.sha256,
            entry.n_bytes,
            report.read,
            report.raw,
            report.duplicate,
            report.quarantined,
            at.isoformat(),
        ),
    )
    ledger.executemany(
        "insert into reasons values (?, ?, ?)",
        [(cursor.lastrowid, code, lines) for code, lines in sorted(report.reasons.items())],
    )


def finish_moves(home: Home) -> int:
    """Do the moves and deletions that a committed batch still owes; returns how many. Safe to repeat."""
    with open_ledger(home) as ledger:
        moves = ledger.execute("select source, target from moves order by rowid").fetchall()
        folders = {(home.root / target).parent for _, target in moves}
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        recorded = recorded_files(ledger) if moves else {}
        for source, target in moves:
            _move(home.root / source, home.root / target, recorded.get(target))
        sync_paths(folders | {folder.parent for folder in folders})
        replaced = [path for (path,) in ledger.execute("select path from replaced order by path")]
        delete_replaced(home, replaced)
        deletions = ledger.execute("select path, sha256 from deletions order by rowid").fetchall()
        for path, sha256 in deletions:
            delete_landed(home, home.landing / path, sha256)
        ledger.execute("delete from moves")
        ledger.execute("delete from replaced")
        ledger.execute("delete from deletions")
    return len(moves) + len(replaced) + len(deletions)


def _move(source: Path, target: Path, record: StoredFile | None) -> None:
    """Rename unless that was done before a crash: then the target is what was recorded of it."""
    if source.exists():
        source.replace(target)
    elif not target.exists() or (record is not None and hash_stored(target) != record.sha256):
        found = "an older one there" if target.exists() else "neither"
        raise StorageError(
            f"expected {source.name} to become {target}, found {found}: somebody removed what was staged. "
            "Restore the file from a backup, or delete the home folder and import again."
        )


def pending_ranges(home: Home, max_ranges: int = 24, *, near_hours: int = 0) -> list[HourRange]:
    """Ranges that cover every hour that changed since it was last announced, see `coalesce_hours`."""
    with open_ledger(home) as ledger:
        rows = ledger.execute("select distinct hour from hours where announced = 0").fetchall()
    return coalesce_hours((parse_hour(hour) for (hour,) in rows), max_ranges, near_hours=near_hours)


def last_batch(home: Home) -> int:
    """The number of the newest committed batch; 0 when there is none."""
    with open_ledger(home) as ledger:
        (batch,) = ledger.execute("select coalesce(max(batch), 0) from files").fetchone()
    return int(batch)


def mark_announced(home: Home, ranges: Iterable[HourRange], up_to_batch: int | None = None) -> None:
    """Mark the hours inside `ranges` announced, but not those that a batch after `up_to_batch` changed."""
    newest = last_batch(home) if up_to_batch is None else up_to_batch
    with open_ledger(home) as ledger:
        ledger.executemany(
            "update hours set announced = 1 where hour >= ? and hour < ? and batch <= ?",
            [(format_hour(each.start), format_hour(each.end), newest) for each in ranges],
        )


def total_counts(home: Home) -> dict[str, int]:
    """Lines over all files: `files`, `read`, `raw`, `duplicate`, `quarantined`."""
    names = ("files", "read", "raw", "duplicate", "quarantined")
    with open_ledger(home) as ledger:
        row = ledger.execute(
            "select count(*), coalesce(sum(read), 0), coalesce(sum(raw), 0), coalesce(sum(duplicate), 0), "
            "coalesce(sum(quarantined), 0) from files"
        ).fetchone()
    return dict(zip(names, row, strict=True))


def lines_of_known_file(home: Home, sha256: str) -> int | None:
    """How many lines a file with this checksum had when it was ingested; None when it must be read.

    One of which no line was an event is read again: it may have come under a name that says how to read it.
    """
    with open_ledger(home) as ledger:
        row = ledger.execute(
            "select read from files where sha256 = ? and quarantined < max(read, 1) "
            "and sha256 not in (select sha256 from unknown_files) order by file_id limit 1",
            (sha256,),
        ).fetchone()
    return None if row is None else int(row[0])


def identity_runs(home: Home) -> list[RunFile]:
    """The runs of keys of all events in raw, oldest first."""
    with open_ledger(home) as ledger:
        return [
            RunFile(*row) for row in ledger.execute("select name, n_keys from identity_runs order by rowid")
        ]


def replace_identity(home: Home, runs: Sequence[RunFile], *, read_files_again: bool) -> None:
    """Make `runs` the keys of all events in raw; `read_files_again` also lets known files be read again."""
    with open_ledger(home) as ledger:
        ledger.execute("delete from identity_runs")
        change_identity(ledger, IdentityChange(tuple(runs)))
        if read_files_again:
            let_files_be_read_again(ledger)


def let_files_be_read_again(ledger: sqlite3.Connection) -> None:
    """A file that was ingested before is read like a new one when it comes again."""
    ledger.execute("insert or ignore into unknown_files select distinct sha256 from files")


def adjust_rows(ledger: sqlite3.Connection, place: str, rows: int, why: str) -> None:
    """Say that `place` (`raw` or `quarantine`) has `rows` more (or, negative, fewer) than were ingested."""
    if rows:
        ledger.execute("insert into adjustments values (?, ?, ?)", (place, rows, why))


def adjusted_rows(home: Home, place: str) -> int:
    """The sum of all adjustments of `place`."""
    with open_ledger(home) as ledger:
        (rows,) = ledger.execute(
            "select coalesce(sum(rows), 0) from adjustments where place = ?", (place,)
        ).fetchone()
    return int(rows)


def watermarks(home: Home, lateness: timedelta) -> dict[str, datetime]:
    """For every tenant the event time up to which its log is taken for complete.

    That is its last event time (no later than the ingest that read it) less the declared `lateness`.
    """
    with open_ledger(home) as ledger:
        rows = ledger.execute("select tenant, latest_at from tenants order by tenant").fetchall()
    return {tenant: datetime.fromisoformat(latest) - lateness for tenant, latest in rows}
