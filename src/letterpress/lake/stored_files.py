"""What the files of the lake must contain: checksum, size and rows, recorded by the commit that writes them.

Paths are relative to the home. A file is recorded before it is moved to its place, in the same transaction
as the move, so that a crash leaves no file whose record is of another one.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from letterpress.lake.durability import sync_paths
from letterpress.settings import Home

SCHEMA = """
create table if not exists raw_files (
    path text primary key, sha256 text not null, bytes integer not null, rows integer, batch integer not null
);
"""
_WORKERS = 4


@dataclass(frozen=True, slots=True)
class StoredFile:
    """One file as it was written; `rows` of a Parquet file."""

    path: str
    sha256: str
    n_bytes: int
    rows: int | None


def is_recorded(home: Home, path: Path) -> bool:
    """Whether files at `path` are recorded: raw partitions and quarantine."""
    return path.is_relative_to(home.quarantine) or (
        path.is_relative_to(home.raw) and path.suffix == ".parquet"
    )


def hash_stored(path: Path) -> str:
    """The SHA-256 of the file at `path`, 64 hex digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def describe_moves(home: Home, moves: Iterable[tuple[Path, Path]]) -> list[StoredFile]:
    """What will lie in raw and quarantine once `moves` (source, target) are done."""
    wanted = [(source, target) for source, target in moves if is_recorded(home, target)]
    with ThreadPoolExecutor(_WORKERS) as pool:
        return list(pool.map(lambda move: _describe(home, *move), wanted))


def _describe(home: Home, source: Path, target: Path) -> StoredFile:
    rows = pq.read_metadata(source).num_rows if target.suffix == ".parquet" else None
    return StoredFile(str(target.relative_to(home.root)), hash_stored(source), source.stat().st_size, rows)


def record_files(ledger: sqlite3.Connection, files: Iterable[StoredFile], batch: int) -> None:
    """Put `files` into the ledger, instead of what was recorded under their paths."""
    ledger.executemany(
        "insert or replace into raw_files (path, sha256, bytes, rows, batch) values (?, ?, ?, ?, ?)",
        [(each.path, each.sha256, each.n_bytes, each.rows, batch) for each in files],
    )


def drop_records(ledger: sqlite3.Connection, paths: Iterable[str]) -> None:
    """Forget what is recorded of files that are deleted on purpose."""
    ledger.executemany("delete from raw_files where path = ?", [(path,) for path in paths])


def delete_replaced(home: Home, paths: Iterable[str]) -> None:
    """Delete raw files whose rows lie elsewhere now, and the folders that are empty then. Safe to repeat."""
    folders: set[Path] = set()
    for path in paths:
        (home.root / path).unlink(missing_ok=True)
        folders.add((home.root / path).parent)
    for folder in folders:
        with contextlib.suppress(OSError):  # something else is in it, or it is gone
            folder.rmdir()
    sync_paths({each for folder in folders for each in (folder, folder.parent) if each.is_dir()})


def recorded_files(ledger: sqlite3.Connection) -> dict[str, StoredFile]:
    """All records by path."""
    rows = ledger.execute("select path, sha256, bytes, rows from raw_files order by path").fetchall()
    return {row[0]: StoredFile(*row) for row in rows}
