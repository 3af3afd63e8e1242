"""The hours of raw that gained events which no build has taken in yet, with when the first was received.

An ingest enters them, a build takes those of its range when it begins and strikes them off once the marts
are written. What an ingest adds in between is no longer taken, so it stays for the next build.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime

from letterpress.lake.partitions import HourRange, format_hour

SCHEMA = """
create table if not exists unbuilt_hours (
    recommender text not null, hour text not null, received_at text not null,
    is_taken integer not null default 0, primary key (recommender, hour)
);
"""
_FIRST, _LAST = "", "~"


def record_unbuilt(ledger: sqlite3.Connection, received: Mapping[tuple[str, str], datetime]) -> None:
    """Enter what (recommender, hour) gained; of an hour that is entered already the older stamp stands."""
    ledger.executemany(
        "insert into unbuilt_hours (recommender, hour, received_at) values (?, ?, ?) on conflict do update "
        "set received_at = min(received_at, excluded.received_at), is_taken = 0",
        [
            (recommender, hour, at.astimezone(UTC).isoformat(timespec="microseconds"))
            for (recommender, hour), at in sorted(received.items())
        ],
    )


def take_unbuilt(ledger: sqlite3.Connection, changed: HourRange | None) -> None:
    """Mark the hours of `changed` (of all history when None) as those that a build now reads."""
    ledger.execute("update unbuilt_hours set is_taken = 1 where hour >= ? and hour < ?", _bounds(changed))


def strike_off_built(ledger: sqlite3.Connection, changed: HourRange | None) -> None:
    """Delete what was taken of `changed`: the marts hold it."""
    ledger.execute(
        "delete from unbuilt_hours where is_taken = 1 and hour >= ? and hour < ?", _bounds(changed)
    )


def oldest_unbuilt(ledger: sqlite3.Connection) -> list[datetime]:
    """When the first event was received that no build has taken in; empty when all are built."""
    rows = ledger.execute("select received_at from unbuilt_hours order by received_at limit 1")
    return [datetime.fromisoformat(oldest) for (oldest,) in rows]


def _bounds(changed: HourRange | None) -> tuple[str, str]:
    return (_FIRST, _LAST) if changed is None else (format_hour(changed.start), format_hour(changed.end))
