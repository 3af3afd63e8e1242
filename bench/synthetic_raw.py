"""Raw files of many slates, written by SQL: what would take the simulator an hour takes a minute.

The rates mean nothing; schemas, sizes and joins are the real ones.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from letterpress.events.types import EVENT_NAMES
from letterpress.lake.raw_schema import ANCHOR_HOUR, ANCHOR_RECOMMENDER, ensure_anchors, partition_path
from letterpress.settings import Home

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
PLACES = 8
RECOMMENDER = "image_enhancement"
_ITEMS = 20_000

_ENVELOPE = """
    'tenant-' || slate % 20 as tenant,
    $start::timestamptz + to_microseconds(slate * $gap) as occurred_at, occurred_at as received_at,
    2 as version
"""
_SLATE_ID = "'slate-' || $day || '-' || slate"
_REACTED = f"""
    {_SLATE_ID} as slate_id,
    'item-' || (slate * 7919 + (hash(slate + 1000003 * $day) % {PLACES})::bigint * 2503) % {_ITEMS} as item_id
"""
_EVENTS = {
    "slate": f"""
        select {_SLATE_ID} as event_id, {_ENVELOPE}, {_SLATE_ID} as slate_id,
            {{'campaign_id': 'campaign-' || slate // 5, 'industry': ['food', 'travel', 'home'][1 + slate % 3],
              'campaign_type': 'promotion', 'goal': 'clicks',
              'segment': ['new', 'loyal', 'dormant'][1 + slate % 3], 'mobile_share': 0.5,
              'send_at': occurred_at + interval 1 hour,
              'labels': map {{}}::map(varchar, varchar)}} as campaign,
            'hero' as slot, 'uniform' as policy,
            list_transform(range({PLACES}), lambda place: {{
                'item_id': 'item-' || (slate * 7919 + place * 2503) % {_ITEMS},
                'position': (place + 1)::integer, 'score': null::double, 'propensity': 1 / {PLACES},
                'features': null::double[]
            }}) as items
        from range($slates) slates(slate)
    """,
    "interaction": f"""
        select 'i-' || {_SLATE_ID} as event_id, {_ENVELOPE}, {_REACTED}, 'chosen' as action
        from range($slates) slates(slate) where hash(slate + 1000003 * $day + 1) % 2 = 0
    """,
    "outcome": f"""
        select kind || '-' || {_SLATE_ID} as event_id, {_ENVELOPE}, {_REACTED}, kind, amount as "count"
        from range($slates) slates(slate)
        cross join (values ('delivered', 1000), ('opened', 300), ('clicked', 15)) kinds(kind, amount)
        where hash(slate + 1000003 * $day + 1) % 2 = 0
    """,
    "item": f"""
        select 'item-' || tenant || '-' || slate as event_id, 'tenant-' || tenant as tenant,
            $start::timestamptz as occurred_at, occurred_at as received_at, 2 as version,
            'item-' || slate as item_id, 'picture_variant' as kind, 'picture-' || slate // 12 as source_id,
            map {{'brightness': (slate % 100) / 100}} as attributes,
            map {{'enhancement': ['original', 'warm', 'cool', 'sharpen'][1 + slate % 4]}} as labels
        from range({_ITEMS}) items(slate) cross join range(20) tenants(tenant)
    """,
}


def write_raw(home: Home, *, rows: int, days: int) -> None:
    """Write `rows` slate items over `days`, a file a day and event type, with what became of one in eight."""
    ensure_anchors(home.raw)
    slates = rows // PLACES // days
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        for event in EVENT_NAMES:
            anchor = partition_path(home.raw, ANCHOR_RECOMMENDER, ANCHOR_HOUR, event)
            connection.execute(
                f"create table {event} as from read_parquet('{anchor}', hive_partitioning = false)"
            )
        for day in range(days):
            for event in ("slate", "interaction", "outcome", *(("item",) if day == 0 else ())):
                _write_day(connection, home.raw, event, day, slates)


def _write_day(connection: duckdb.DuckDBPyConnection, raw: Path, event: str, day: int, slates: int) -> None:
    start = BEGIN + timedelta(days=day)
    path = partition_path(raw, RECOMMENDER, f"{start:%Y-%m-%d}", event)
    path.parent.mkdir(parents=True, exist_ok=True)
    given = {"start": start, "day": day, "slates": slates, "gap": 86_400_000_000 // slates}
    used = {name: value for name, value in given.items() if f"${name}" in _EVENTS[event]}
    connection.execute(f"truncate {event}")
    connection.execute(f"insert into {event} by name {_EVENTS[event]}", used)
    connection.execute(f"copy {event} to '{path}' (format parquet, compression zstd)")
