"""How many events raw holds by their hour of arrival: by this it is known later whether the past has changed.

It is counted before a build reads raw. An event that comes in while the build runs is then not counted,
and what was built counts as changed, which is the safe side.
"""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import msgspec

from letterpress.atomic_file import write_atomically
from letterpress.errors import StorageError, as_clause
from letterpress.lake.partitions import format_hour
from letterpress.lake.raw_readers import reading_raw
from letterpress.lake.raw_schema import ensure_anchors
from letterpress.settings import Home

ARRIVALS = "arrivals.json"
COUNTED = ("item", "slate", "interaction", "outcome")
"""Campaigns are told by their slates; no feature looks at their own events."""

ByHour = dict[str, dict[str, tuple[int, int]]]
"""By recommender and hour of arrival: events, and a checksum of their times."""

Known = dict[str, tuple[int, int]]
"""The same of all hours before some moment, by recommender."""


def count_arrivals(home: Home, *, threads: int) -> ByHour:
    """What raw holds now.

    Raises:
        AlreadyRunningError: a compaction changes raw and does not end.
        StorageError: a raw file cannot be read.
    """
    ensure_anchors(home.raw)
    counted = " union all ".join(
        f"""
        select recommender, date_trunc('hour', received_at) as hour, epoch_us(received_at) as arrived_us
        from read_parquet('{_glob(home, event)}', hive_partitioning = true, hive_types_autocast = false)
        """  # noqa: S608 - our own names
        for event in COUNTED
    )
    with reading_raw(home), duckdb.connect(config={"threads": threads}) as connection:
        connection.execute("set TimeZone = 'UTC'")
        try:
            rows = connection.execute(
                f"select recommender, hour, count(*), sum(arrived_us % 1000003)::bigint from ({counted}) "  # noqa: S608
                "group by all order by all"
            ).fetchall()
        except duckdb.Error as error:
            raise StorageError(
                f"expected raw files of today's schema in {home.raw}, found: {as_clause(error)}. "
                "`letterpress lake --verify` names the file."
            ) from error
    found: ByHour = {}
    for recommender, hour, events, checksum in rows:
        found.setdefault(recommender, {})[format_hour(hour.astimezone(UTC))] = (events, checksum)
    return found


def _glob(home: Home, event: str) -> str:
    return str(home.raw / "recommender=*" / "hour=*" / f"{event}.parquet").replace("'", "''")


def known_before(arrivals: ByHour, moment: datetime | None) -> Known:
    """What had arrived before the whole hour `moment`, by recommender.

    >>> arrivals = {"r": {"2026-01-05T03": (2, 10), "2026-01-05T04": (1, 5)}}
    >>> known_before(arrivals, datetime(2026, 1, 5, 4, tzinfo=UTC))
    {'r': (2, 10)}
    """
    if moment is None:
        return {}
    end = format_hour(moment.astimezone(UTC))
    sums = {
        recommender: [counts for hour, counts in hours.items() if hour < end]
        for recommender, hours in arrivals.items()
    }
    return {name: (sum(n for n, _ in each), sum(c for _, c in each)) for name, each in sums.items() if each}


def note_arrivals(home: Home, *, threads: int) -> None:
    """Keep what raw holds, for the snapshot of the build that begins now."""
    home.snapshots.mkdir(parents=True, exist_ok=True)
    write_atomically(home.snapshots / ARRIVALS, msgspec.json.encode(count_arrivals(home, threads=threads)))


def noted_arrivals(home: Home) -> ByHour | None:
    """What raw held when the last build began; None when nobody noted it."""
    try:
        return msgspec.json.decode((home.snapshots / ARRIVALS).read_bytes(), type=ByHour)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
