"""The ledger: what became of every line of every file, which hours changed, and moves still to be done.

Writing here is the commit of an ingest: everything before can be thrown away, everything after is redone
from the list of moves.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from letterpress.errors import StorageError
from letterpress.lake.durability import sync_paths
from letterpress.lake.landing import is_another_file
from letterpress.lake.partitions import HourRange, coalesce_hours, format_hour, parse_hour
from letterpress.lake.stored_files import SCHEMA as STORED_FILES
from letterpress.lake.stored_files import describe_moves, record_files
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
create table if not exists moves (source text not null, target text not null);
"""


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of the lines of one file. `read = raw + duplicate + quarantined`, always."""

    path: str
    read: int
    raw: int
    duplicate: int
    quarantined: int


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file's report with what identifies the file, and its quarantine reasons with their counts."""

    report: FileReport
    sha256: str
    n_bytes: int
    reasons: Mapping[str, int]


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
            connection.executescript(_SCHEMA + STORED_FILES)
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
    entries: Iterable[FileEntry],
    hours: Iterable[tuple[str, str]],
    moves: Iterable[tuple[Path, Path]],
    at: datetime,
) -> None:
    """Record files, changed hours (recommender, hour) and the moves to do, all or nothing."""
    moves = list(moves)
    written = describe_moves(home, moves)
    with open_ledger(home) as ledger:
        (batch,) = ledger.execute("select coalesce(max(batch), 0) + 1 from files").fetchone()
        for entry in entries:
            _insert_file(ledger, batch, entry, at)
        record_files(ledger, written, batch)
        ledger.executemany(
            "insert into hours (recommender, hour, batch) values (?, ?, ?) "
            "on conflict do update set batch = excluded.batch, announced = 0",
            [(recommender, hour, batch) for recommender, hour in hours],
        )
        root = home.root
        ledger.executemany(
            "insert into moves values (?, ?)",
            [(str(source.relative_to(root)), str(target.relative_to(root))) for source, target in moves],
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
        [(cursor.lastrowid, code, lines) for code, lines in sorted(entry.reasons.items())],
    )


def finish_moves(home: Home) -> int:
    """Do the moves that a committed batch still owes; returns how many. Safe to repeat."""
    with open_ledger(home) as ledger:
        moves = ledger.execute("select source, target from moves order by rowid").fetchall()
        folders = {(home.root / target).parent for _, target in moves}
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        for source, target in moves:
            _move(home, home.root / source, home.root / target)
        sync_paths(folders | {folder.parent for folder in folders})
        ledger.execute("delete from moves")
    return len(moves)


def _move(home: Home, source: Path, target: Path) -> None:
    """Rename unless that was done before a crash, or the name was given to a newer file since."""
    if source.exists():
        if not is_another_file(home, source, target):
            source.replace(target)
    elif not target.exists():
        raise StorageError(
            f"expected {source.name} to become {target}, found neither; somebody removed it. "
            "Restore it from a backup, or delete the home folder and import again."
        )


def pending_ranges(home: Home, max_ranges: int = 24) -> list[HourRange]:
    """Ranges that cover every hour that changed since it was last announced."""
    with open_ledger(home) as ledger:
        rows = ledger.execute("select distinct hour from hours where announced = 0").fetchall()
    return coalesce_hours((parse_hour(hour) for (hour,) in rows), max_ranges)


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


def quarantine_reasons(home: Home) -> dict[str, int]:
    """Quarantined lines by reason code, most frequent first."""
    with open_ledger(home) as ledger:
        rows = ledger.execute(
            "select code, sum(lines) from reasons group by code order by 2 desc, 1"
        ).fetchall()
    return {code: int(lines) for code, lines in rows}
