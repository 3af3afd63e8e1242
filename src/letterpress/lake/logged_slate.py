"""Finds a slate in raw by its id."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import pyarrow as pa

from letterpress.errors import NotYetThereError, StorageError, as_clause
from letterpress.events.codec import decode_line
from letterpress.events.parquet_rows import row_line
from letterpress.events.types import Slate
from letterpress.lake.partitions import format_hour
from letterpress.lake.raw_readers import reading_raw
from letterpress.lake.raw_schema import ensure_anchors
from letterpress.settings import Home

_STAMP_DIGITS = 12
_ID_DIGITS = 32


def find_slate(home: Home, slate_id: str) -> Slate:
    """The slate as it was logged; of several copies the first that arrived.

    Raises:
        NotYetThereError: raw holds no such slate.
        AlreadyRunningError: a compaction changes raw and does not end.
        StorageError: a raw file cannot be read.
    """
    ensure_anchors(home.raw)
    with reading_raw(home), duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        try:
            rows = _read(connection, home, slate_id)
        except duckdb.Error as error:
            raise StorageError(
                f"expected raw files of today's schema in {home.raw}, found: {as_clause(error)}. "
                "`letterpress lake --verify` names the file."
            ) from error
    if not rows.num_rows:
        raise NotYetThereError(
            f"expected a slate {slate_id!r} in {home.raw}, found none. If it was shown just now, run "
            "`letterpress ingest` first; it may also have been forgotten, or be older than what is kept."
        )
    slate = decode_line(row_line({"type": "slate"}, rows.to_pylist()[0]))
    assert isinstance(slate, Slate)  # noqa: S101  # the line says so itself
    return slate


def _read(connection: duckdb.DuckDBPyConnection, home: Home, slate_id: str) -> pa.Table:
    folder = str(home.raw).replace("'", "''")
    hour = hour_of_slate_id(slate_id)
    where = "" if hour is None else f"and hour in ('{hour}', '{hour[:10]}')"
    return connection.sql(
        f"select * exclude (hour) from read_parquet('{folder}/recommender=*/hour=*/slate.parquet', "  # noqa: S608
        "hive_partitioning = true, hive_types_autocast = false, union_by_name = true) "
        f"where slate_id = ? {where} order by received_at, occurred_at, event_id limit 1",
        params=[slate_id],
    ).to_arrow_table()


def hour_of_slate_id(slate_id: str) -> str | None:
    """The UTC hour in which the service made this id; None for an id that others made.

    >>> hour_of_slate_id("019bba4504a094c3a89fa7d7b4f66a33"), hour_of_slate_id("my-slate")
    ('2026-01-14T02', None)
    """
    if len(slate_id) != _ID_DIGITS or set(slate_id) - set("0123456789abcdef"):
        return None
    milliseconds = int(slate_id[:_STAMP_DIGITS], 16)
    try:
        return format_hour(datetime.fromtimestamp(milliseconds / 1000, UTC))
    except (OverflowError, ValueError, OSError):
        return None
