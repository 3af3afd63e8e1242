"""Facts about the raw events of a range beside those of the weeks before, counted once for the raw-log gate.

What is usual for an hour is the median of the same hour of the same weekday in the last four weeks, of which
the lake must know three; until then, and where little is usual, nothing is said about volume and mixture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from letterpress.errors import NotEnoughDataError
from letterpress.events.types import EVENT_NAMES
from letterpress.lake.gate_views import (
    all_hours,
    create_view,
    make_raw_log_views,
    naming_damage,
    raw_rows,
    stored_hours,
)
from letterpress.lake.ledger import ledger_path, open_ledger
from letterpress.lake.partitions import DAY, HOUR, HourRange, format_hour
from letterpress.lake.removed_hours import count_removed
from letterpress.settings import Home

RAW_FACTS = (
    "raw_presence",
    "raw_volume",
    "raw_mixture",
    "raw_categories",
    "raw_references",
    "raw_clocks",
    "raw_arrivals",
    "raw_freshness",
)
WEEKS, FEWEST_WEEKS = 4, 3
LEAST_USUAL = {"hour": 50, "day": 100}
"""Of what a grain counts; where fewer are usual, none at all can be chance."""
LEAST_MIXED = 1000
"""Of what is counted; of fewer, shares of kinds vary by themselves."""
LONGEST = timedelta(days=14)
"""Of a longer range only the end is compared with the weeks before."""

Vocabularies = Mapping[str, Mapping[str, Sequence[str]]]
"""Known values by recommender and field of the campaign."""


@dataclass(frozen=True, slots=True)
class RawLogContext:
    """What the raw log is held against beside itself."""

    now: datetime | None = None
    vocabularies: Vocabularies = field(default_factory=dict)


def make_raw_log_tables(
    home: Home, hours: HourRange, database: Path, context: RawLogContext | None = None
) -> tuple[str, ...]:
    """Views of the raw events of `hours`, and facts about them, in the new file `database`.

    Raises:
        StorageError: a raw file or the ledger cannot be read.
    """
    context = context or RawLogContext()
    views = make_raw_log_views(home, hours, database)
    span = compared_span(home, hours, context.now)
    with duckdb.connect(str(database)) as connection, naming_damage("raw_log"):
        connection.execute("set TimeZone = 'UTC'")
        if span is None:
            span = HourRange(hours.start, hours.start + HOUR)
            weeks = 0
        else:
            weeks = known_weeks(home, span)
        _make_presence(connection, home, hours)
        _make_weeks(connection, home, span, weeks)
        connection.execute(f"create table raw_volume as {_VOLUME}")
        connection.execute(f"create table raw_mixture as {_MIXTURE}")
        _make_categories(connection, context.vocabularies)
        _make_references(connection, home, hours)
        connection.execute(f"create table raw_clocks as {_CLOCKS}")
        _make_arrivals(connection, home, hours)
        _make_freshness(connection, home, hours, context.now)
        connection.execute("drop table week_hours; drop table campaign_weeks")
    return (*views, *RAW_FACTS)


def compared_span(home: Home, hours: HourRange, now: datetime | None) -> HourRange | None:
    """The hours that are compared: at least a day, and none that may still receive events; None without any.

    The day before the range is among them, because an hour that never arrived changes nothing, and would
    not be looked at by anybody.
    """
    try:
        known = all_hours(home)
    except NotEnoughDataError:
        return None
    complete = known.end - HOUR
    if now is not None:
        complete = min(complete, now.replace(minute=0, second=0, microsecond=0))
    end = min(hours.end, complete)
    start = max(min(hours.start, hours.end - DAY), hours.end - LONGEST, known.start)
    return HourRange(start, end) if start < end else None


def known_weeks(home: Home, span: HourRange) -> int:
    """How many of the weeks before `span` the lake knows, at most four; 0 when too few to compare.

    Without a hole of a week: an old archive of another recommender makes no week known after it.
    """
    stored = stored_hours(home)
    weeks = 0
    while weeks < WEEKS:
        start = span.start - 7 * (weeks + 1) * DAY
        if not any(start - 6 * DAY < each.end and each.start < start + DAY for each in stored):
            break
        weeks += 1
    return weeks if weeks >= FEWEST_WEEKS else 0


def _make_weeks(connection: duckdb.DuckDBPyConnection, home: Home, span: HourRange, weeks: int) -> None:
    """`week_hours`: events by week (0 is the span itself), hour of the span and kind; empty without weeks.

    `subjects` are the slates that they are of: one large campaign brings thousands of events in a night.
    DuckDB's sketch of distinct values is within a few hundredths of their number.
    """
    shifted = [HourRange(span.start - 7 * week * DAY, span.end - 7 * week * DAY) for week in range(weeks + 1)]
    kinds = {"interaction": "action", "outcome": "kind"}
    subjects = dict.fromkeys(kinds, "approx_count_distinct(slate_id)")
    parts = " union all ".join(
        f"""
        select {week} as week, '{event}' as type,
            concat_ws(' ', '{event}', {kinds.get(event, "null")}) as kind,
            date_trunc('hour', occurred_at) + interval {7 * week} days as moment, count(*) as events,
            {subjects.get(event, "count(*)")} as subjects
        from ({raw_rows(home.raw, event, hours)})
        where occurred_at >= '{hours.start.isoformat()}' and occurred_at < '{hours.end.isoformat()}'
        group by all
        """  # noqa: S608 - our own names and times
        for week, hours in enumerate(shifted)
        for event in EVENT_NAMES
    )
    create_view(connection, "counted_weeks", parts)
    wanted = "" if weeks else " limit 0"
    connection.execute(f"create table week_hours as select * from counted_weeks{wanted}")  # noqa: S608
    connection.execute("drop view counted_weeks")
    _make_campaign_weeks(connection, home, shifted if weeks else [])
    connection.execute(
        "create temp table span as select $start::timestamptz as first_at, $end::timestamptz as end_at, "
        "$weeks::integer as weeks",
        {"start": span.start, "end": span.end, "weeks": weeks},
    )


_VOLUME = f"""
    with hours as (
        select unnest(generate_series(first_at, end_at - interval 1 hour, interval 1 hour)) as moment
        from span where weeks > 0
    ),

    days as (select date_trunc('day', moment) as moment from hours group by all having count(*) = 24),

    weeks as (select unnest(generate_series(0, (select weeks from span))) as week),

    slots as (
        select 'hour' as grain, 'subject' as type, moment, week from hours cross join weeks
        union all
        select 'day' as grain, type, moment, week
        from days cross join weeks cross join (select distinct type from week_hours)
    ),

    counted as (
        select 'hour' as grain, 'subject' as type, moment, week, sum(subjects) as found
        from week_hours group by all
        union all
        select 'day' as grain, type, date_trunc('day', moment) as moment, week, sum(events) as found
        from week_hours group by all
    ),

    compared as (
        select
            grain, type, moment,
            coalesce(sum(found) filter (where week = 0), 0) as found,
            median(coalesce(found, 0)) filter (where week > 0) as usual
        from slots left join counted using (grain, type, moment, week)
        group by all
    )

    select
        grain, type, moment, found, usual,
        case
            when usual >= case grain when 'hour' then {LEAST_USUAL["hour"]} else {LEAST_USUAL["day"]} end
                then found / usual
            else 1
        end as volume_ratio
    from compared
"""  # noqa: S608 - our own numbers

_MIXTURE = f"""
    with counted as (
        select 'events' as unit, kind, week, events as found from week_hours
        union all
        select 'subjects' as unit, kind, week, subjects as found from week_hours
    ),

    shares as (
        select
            unit, kind,
            coalesce(sum(found) filter (where week = 0), 0) as now,
            coalesce(sum(found) filter (where week > 0), 0) as before
        from counted group by all
    ),

    totals as (select unit, sum(now) as now, sum(before) as before from shares group by all),

    -- Half of one, so that a kind that comes or goes has a logarithm.
    smoothed as (
        select
            unit,
            (shares.now + 0.5) / totals.now as p,
            (shares.before + 0.5) / totals.before as q
        from shares inner join totals using (unit)
        where totals.now >= {LEAST_MIXED} and totals.before >= {LEAST_MIXED}
    )

    select
        coalesce(sum((p - q) * ln(p / q)) filter (where unit = 'events'), 0) as index_of_events,
        coalesce(sum((p - q) * ln(p / q)) filter (where unit = 'subjects'), 0) as index_of_subjects
    from smoothed
"""  # noqa: S608 - our own numbers

_CLOCKS = """
    select
        tenant,
        count(*) as slates,
        case when count(*) >= 20 then median(epoch(received_at) - epoch(occurred_at)) / 3600 else 0 end
            as median_lag_hours
    from events_of_slate
    group by tenant
"""
_EXTRAS = " union all ".join(f"select extra from events_of_{event}" for event in EVENT_NAMES)  # noqa: S608
_UNKNOWN_FIELDS = f"select coalesce(avg((extra is not null)::integer), 0) from ({_EXTRAS})"  # noqa: S608
FIELDS = ("industry", "segment", "campaign_type", "goal")


def _make_campaign_weeks(
    connection: duckdb.DuckDBPyConnection, home: Home, weeks: Sequence[HourRange]
) -> None:
    """`campaign_weeks`: by recommender and field, the share of slates that lack it in the weeks before."""
    before = (
        [
            f"""
        select recommender, campaign from ({raw_rows(home.raw, "slate", hours)})
        where occurred_at >= '{hours.start.isoformat()}' and occurred_at < '{hours.end.isoformat()}'
        """  # noqa: S608 - our own names and times
            for hours in weeks[1:]
        ]
        or ["select recommender, campaign from events_of_slate limit 0"]
    )
    connection.execute(
        "create table campaign_weeks as "
        + _by_field(" union all ".join(before), "avg((value is null)::integer) as null_share")
    )


def _by_field(slates: str, facts: str) -> str:
    """`facts` over the `value`s of each field of the campaigns of `slates`, by recommender."""
    return " union all ".join(
        f"""
        select recommender, '{name}' as field, count(*) as slates, {facts}
        from (select recommender, campaign.{name} as value, '{name}' as field from ({slates}))
        group by recommender
        """  # noqa: S608 - our own names
        for name in FIELDS
    )


def _make_categories(connection: duckdb.DuckDBPyConnection, vocabularies: Vocabularies) -> None:
    """`raw_categories`: one row a recommender and field of the campaign."""
    known = [
        {"recommender": recommender, "field": name, "value": value}
        for recommender, fields in vocabularies.items()
        for name, values in fields.items()
        for value in values
    ]
    columns = {name: [row[name] for row in known] for name in ("recommender", "field", "value")}
    connection.register("given", pa.table({n: pa.array(v, pa.string()) for n, v in columns.items()}))
    connection.execute("create temp table vocabulary as select * from given")
    connection.unregister("given")
    unknown = """
        count(*) filter (
            where value is not null and (recommender, field, value) not in (select (recommender, field, value)
            from vocabulary) and (recommender, field) in (select (recommender, field) from vocabulary)
        ) / count(*) as unknown_share,
        avg((value is null)::integer) as null_share
    """
    facts = _by_field("select recommender, campaign from events_of_slate", unknown)
    connection.execute(
        f"""
        create table raw_categories as
        select
            facts.*,
            case when facts.slates >= 100 and before.slates >= 100
                then facts.null_share - before.null_share else 0
            end as null_share_gained
        from ({facts}) as facts
        left join campaign_weeks as before using (recommender, field)
        """  # noqa: S608 - our own names
    )


def _make_references(connection: duckdb.DuckDBPyConnection, home: Home, hours: HourRange) -> None:
    """`raw_references`: one row, the share of reactions that tell of a slate that raw does not have."""
    known = raw_rows(home.raw, "slate", None)
    connection.execute(
        f"""
        create table raw_references as
        select
            count(*) as reactions,
            coalesce(avg((slates.slate_id is null)::integer), 0) as share_without_slate
        from (
            select recommender, tenant, slate_id from events_of_interaction
            union all
            select recommender, tenant, slate_id from events_of_outcome
        ) as reactions
        left join (
            select distinct recommender, tenant, slate_id from ({known})
            where hour < '{format_hour(hours.end)}'
        ) as slates using (recommender, tenant, slate_id)
        """  # noqa: S608 - our own names and times
    )


def _make_arrivals(connection: duckdb.DuckDBPyConnection, home: Home, hours: HourRange) -> None:
    """`raw_arrivals`: one row, what became of the lines of the files that changed the range last."""
    read = quarantined = duplicate = 0
    if ledger_path(home).is_file():
        with open_ledger(home) as ledger:
            read, quarantined, duplicate = ledger.execute(
                "select coalesce(sum(read), 0), coalesce(sum(quarantined), 0), coalesce(sum(duplicate), 0) "
                "from files where batch in (select batch from hours where hour >= ? and hour < ?)",
                (format_hour(hours.start), format_hour(hours.end)),
            ).fetchone()
    connection.execute(
        "create table raw_arrivals as select $read::bigint as lines, "
        "coalesce($bad / nullif($read, 0), 0)::double as share_quarantined, "
        "coalesce($again / nullif($read, 0), 0)::double as share_repeated, "
        f"({_UNKNOWN_FIELDS}) as share_with_unknown_fields",
        {"read": read, "bad": quarantined, "again": duplicate},
    )


def _make_presence(connection: duckdb.DuckDBPyConnection, home: Home, hours: HourRange) -> None:
    """`raw_presence`: one row, how many events there are, and hours of which some were removed on purpose."""
    emptied = 0
    if ledger_path(home).is_file():
        with open_ledger(home) as ledger:
            emptied = count_removed(ledger, hours)
    connection.execute(
        "create table raw_presence as select events, $emptied as emptied, events + emptied as accounted_for "
        "from (select count(*) as events from raw_events)",
        {"emptied": emptied},
    )


def _make_freshness(
    connection: duckdb.DuckDBPyConnection, home: Home, hours: HourRange, now: datetime | None
) -> None:
    """`raw_freshness`: one row, how old the newest hour is when the range reaches to it; else 0."""
    age = 0.0
    if now is not None and any(home.raw.glob("recommender=[!_]*")) and hours.end >= all_hours(home).end:
        age = max(0.0, (now - hours.end).total_seconds() / 3600)
    connection.execute("create table raw_freshness as select $age::double as hours_old", {"age": age})
