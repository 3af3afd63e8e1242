"""Builders for integration tests: a raw log as ingest writes it, without landing and ledger."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from letterpress.events.types import AnyEvent
from letterpress.lake.partitions import format_hour
from letterpress.lake.raw_columns import events_to_table
from letterpress.lake.raw_schema import ensure_anchors, partition_path

WriteRaw = Callable[[Path, Iterable[AnyEvent]], None]


def write_raw_log(raw: Path, events: Iterable[AnyEvent]) -> None:
    """Rewrite every (recommender, hour, type) file that `events` fall into.

    An event without an arrival time arrived when it occurred.
    """
    ensure_anchors(raw)
    files: dict[Path, list[AnyEvent]] = defaultdict(list)
    for event in events:
        name = str(event.__struct_config__.tag)
        files[partition_path(raw, event.recommender, format_hour(event.occurred_at), name)].append(event)
    for path, rows in files.items():
        rows.sort(key=lambda event: (event.occurred_at, event.event_id))
        tables = [events_to_table(path.stem, [event], event.occurred_at) for event in rows]
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.concat_tables(tables), path)


@pytest.fixture(scope="session")
def write_raw() -> WriteRaw:
    return write_raw_log


@pytest.fixture(scope="session")
def start() -> datetime:
    """The hour in which the logs of these tests begin."""
    return datetime(2026, 1, 5, 0, tzinfo=UTC)
