"""Hours of raw that lost events on purpose, or for good: only a build of all history takes their counts away.

Counts of an hour that is gone are known to every slate since, and raw cannot say any more to which. A removal
enters its hours, the next build writes all of history and takes them, publishing strikes them off. They stay
known, so that a gate can tell an hour that was emptied from a log that stopped.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from letterpress.lake.partitions import HourRange, format_hour

SCHEMA = """
create table if not exists removed_hours (
    recommender text not null, hour text not null, stage text not null, primary key (recommender, hour)
);
"""
_OWED, _TAKEN, _BUILT = "owed", "taken", "built"


def record_removed(ledger: sqlite3.Connection, hours: Iterable[tuple[str, str]]) -> None:
    """Enter the (recommender, hour) that lost events: a build of all history is owed."""
    ledger.executemany(
        "insert or replace into removed_hours values (?, ?, ?)", [(*hour, _OWED) for hour in sorted(hours)]
    )


def is_whole_build_owed(ledger: sqlite3.Connection) -> bool:
    """Whether the marts may hold what raw no longer has."""
    (owed,) = ledger.execute(
        "select exists (select 1 from removed_hours where stage in (?, ?))", (_OWED, _TAKEN)
    ).fetchone()
    return bool(owed)


def take_removed(ledger: sqlite3.Connection) -> None:
    """Say that a build of all history now reads raw as the removals left it."""
    ledger.execute("update removed_hours set stage = ? where stage = ?", (_TAKEN, _OWED))


def is_taken(ledger: sqlite3.Connection) -> bool:
    """Whether a build that took removals in waits to be published: one of all history."""
    (taken,) = ledger.execute(
        "select exists (select 1 from removed_hours where stage = ?)", (_TAKEN,)
    ).fetchone()
    return bool(taken)


def strike_off_removed(ledger: sqlite3.Connection) -> None:
    """Say that what was taken is in the marts and in the snapshot."""
    ledger.execute("update removed_hours set stage = ? where stage = ?", (_BUILT, _TAKEN))


def count_removed(ledger: sqlite3.Connection, hours: HourRange) -> int:
    """How many hours of the range ever lost events, by recommender."""
    (found,) = ledger.execute(
        "select count(*) from removed_hours where hour >= ? and hour < ?",
        (format_hour(hours.start), format_hour(hours.end)),
    ).fetchone()
    return int(found)
