"""A raw log of any size, written by DuckDB day by day: slates of eight, a choice each, and their outcomes.

Everything follows from the number of the slate, so that a log of a size is the same everywhere.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from letterpress.lake.raw_schema import ANCHOR_HOUR, ANCHOR_RECOMMENDER, ensure_anchors, partition_path

START = datetime(2026, 1, 5, tzinfo=UTC)
RECOMMENDER = "image_enhancement"
PLACES = 8
_ENHANCEMENTS = (
    "['original', 'brighten', 'darken', 'contrast', 'saturate', 'desaturate', 'warm', 'cool', 'sharpen', "
    "'soften', 'crop_tight', 'vignette']"
)
_SLATES = """
    select
        n,
        'tenant-' || draw(n, 'tenant', 50) as tenant,
        'slate-' || n as slate_id,
        'picture-' || n // {per_picture} as picture,
        timestamptz '{start}' + to_microseconds((n * 86400e6 / {per_day})::bigint) as occurred_at,
        struct_pack(
            campaign_id := 'campaign-' || n // 10,
            industry := ['food', 'travel', 'fashion', 'home'][1 + draw(n, 'industry', 4)],
            campaign_type := 'promotion', goal := 'clicks',
            segment := ['new', 'loyal', 'dormant'][1 + draw(n, 'segment', 3)],
            mobile_share := 0.5::double,
            send_at := occurred_at + to_hours(draw(n, 'send', 24)::integer),
            labels := map {{}}::map(varchar, varchar)
        ) as campaign,
        list_transform(range(1, {places} + 1), lambda place: struct_pack(
            item_id := picture || '-' || {enhancements}[1 + (draw(n, 'first', 12) + place) % 12],
            position := place::integer, score := 0.5::double, propensity := 0.125::double,
            features := null::double[]
        )) as items
    from range({first}, {end}) numbers(n)
"""
_EVENTS = {
    "item": """
        select
            'item-' || n || '-' || enhancement as event_id, tenant, occurred_at, occurred_at as received_at,
            2 as version, picture || '-' || enhancement as item_id, 'picture_variant' as kind,
            picture as source_id, map {{'brightness': draw(n, 'brightness', 1000) / 1000.0}} as attributes,
            map {{'enhancement': enhancement}} as labels
        from (select *, unnest({enhancements}) as enhancement from slates where n % {per_picture} = 0)
        where {today}
    """,
    "slate": """
        select
            slate_id as event_id, tenant, occurred_at, occurred_at + interval 2 second as received_at,
            2 as version, slate_id, campaign, 'hero' as slot, 'uniform' as policy, items
        from slates where {today}
    """,
    "interaction": """
        select
            'choice-' || n as event_id, tenant, occurred_at + interval 20 second as occurred_at,
            occurred_at + interval 2 second as received_at, 2 as version, slate_id,
            items[1 + draw(n, 'chosen', 8)].item_id as item_id, 'chosen' as action
        from slates where {today}
    """,
    "outcome": """
        select
            'outcome-' || n || '-' || part as event_id, tenant, occurred_at,
            occurred_at + interval 30 minute as received_at, 2 as version, slate_id, item_id,
            ['delivered', 'opened', 'clicked'][1 + part % 3] as kind,
            draw(n, 'count' || part, [2000, 400, 30][1 + part % 3]) as "count"
        from (
            select
                n, tenant, slate_id, part, items[1 + draw(n, 'chosen', 8)].item_id as item_id,
                occurred_at + to_seconds(draw(n, 'wait' || part, 172800)) as occurred_at
            from (select *, unnest(range(6)) as part from slates)
        )
        where {today}
    """,
}


def write_log(raw: Path, *, slate_items: int, days: int, only_day: int | None = None) -> None:
    """Write `slate_items` shown within `days`, or those of one day, in files of a day as after compaction."""
    ensure_anchors(raw)
    per_day = slate_items // PLACES // days
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'; set enable_progress_bar = false")
        connection.execute("create temp macro draw(n, what, most) as (hash(n, what) % most)::bigint")
        for day in range(days) if only_day is None else (only_day,):
            _write_day(connection, raw, day, per_day)


def _write_day(connection: duckdb.DuckDBPyConnection, raw: Path, day: int, per_day: int) -> None:
    """The events that occur on a day; outcomes come up to two days after their slate."""
    start = START + timedelta(days=day)
    names = {
        "per_day": per_day,
        "per_picture": 20,
        "places": PLACES,
        "enhancements": _ENHANCEMENTS,
        "start": START.isoformat(),
        "first": max(0, day - 2) * per_day,
        "end": (day + 1) * per_day,
        "today": f"occurred_at >= '{start}' and occurred_at < '{start + timedelta(days=1)}'",
    }
    connection.execute(f"create or replace temp table slates as {_SLATES.format(**names)}")
    for event, query in _EVENTS.items():
        anchor = partition_path(raw, ANCHOR_RECOMMENDER, ANCHOR_HOUR, event)
        path = partition_path(raw, RECOMMENDER, start.strftime("%Y-%m-%d"), event)
        path.parent.mkdir(parents=True, exist_ok=True)
        connection.execute(
            f"copy (from read_parquet('{anchor}', hive_partitioning = false) "
            f"union all by name {query.format(**names)}) to '{path}' (format parquet)"
        ).fetchall()
