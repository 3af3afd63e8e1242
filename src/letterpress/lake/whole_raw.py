"""Whether every file of raw is there: by names and sizes, for each build; `verify.py` reads the bytes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from letterpress.errors import StorageError
from letterpress.lake.ledger import ledger_path, open_ledger
from letterpress.lake.partitions import HOUR, format_hour, hours_of_partition
from letterpress.lake.removed_hours import record_removed
from letterpress.lake.stored_files import StoredFile, drop_records
from letterpress.settings import Home

_RECORDED = """
select path, sha256, bytes, rows from raw_files
where path like 'raw/%' and rows > 0 and path not in (select target from moves)
order by path
"""
_LOOKS = 2
"""Compaction may have put another file in the place of one whose record was just read."""


def require_whole_raw(home: Home) -> None:
    """Nothing, when each file that the ledger records is in raw and as long as it was written.

    Raises:
        StorageError: one is missing, or has another length; names the first and says what to run.
    """
    if not ledger_path(home).is_file():
        return
    for _ in range(_LOOKS):
        with open_ledger(home) as ledger:
            differing = _differing(home, ledger)
        if not differing:
            return
    record, found = differing[0]
    more = f" It is the first of {len(differing)} that differ." if len(differing) > 1 else ""
    raise StorageError(
        f"expected {record.path} with {record.rows} events in {record.n_bytes} bytes as the ledger says, "
        f"found {'no such file' if found is None else f'{found} bytes'}.{more} Nothing was built, the "
        "published snapshot stays. `letterpress lake --verify` names them all; restore them from a backup. "
        "What is gone for good: delete what is left of these files, run `letterpress lake --reindex`, import "
        "the logs of these hours again, then run `letterpress features`."
    )


def forget_missing(home: Home, ledger: sqlite3.Connection) -> None:
    """Take files that are gone out of the ledger's records; what was built of them is built again."""
    gone = [record.path for record, size in _differing(home, ledger) if size is None]
    record_removed(ledger, {hour for path in gone for hour in _hours_of(path)})
    drop_records(ledger, gone)


def _hours_of(path: str) -> Iterator[tuple[str, str]]:
    """(recommender, hour) of what a raw file held; each hour of a day's."""
    _, recommender, name, _ = (part.rpartition("=")[2] for part in Path(path).parts)
    hours = hours_of_partition(name)
    yield from ((recommender, format_hour(hours.start + nth * HOUR)) for nth in range(hours.n_hours))


def _differing(home: Home, ledger: sqlite3.Connection) -> list[tuple[StoredFile, int | None]]:
    records = (StoredFile(*row) for row in ledger.execute(_RECORDED))
    sizes = ((record, _size(home, record)) for record in records)
    return [(record, size) for record, size in sizes if size != record.n_bytes]


def _size(home: Home, record: StoredFile) -> int | None:
    try:
        return (home.root / record.path).stat().st_size
    except FileNotFoundError:
        return None
