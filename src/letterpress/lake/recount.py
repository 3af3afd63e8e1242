"""Counts again, straight from raw, what the features of logged slates were computed from.

Nothing of the warehouse is asked: the rules of the marts are written here a second time, in another form, so
that a fault there is found. A moment is exact to the microsecond here, where the marts know hours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from letterpress.errors import StorageError, as_clause
from letterpress.lake.raw_readers import reading_raw
from letterpress.lake.recount_sessions import count_sessions
from letterpress.lake.recount_sources import REACTIONS, SHOWN, RawOfRecommender
from letterpress.lake.snapshot_history import SnapshotMark
from letterpress.lake.snapshot_layout import COUNT_NAMES, ENTITIES, WINDOW_DAYS, WINDOWS
from letterpress.settings import Home

NEVER = datetime(1970, 1, 1, tzinfo=UTC)

_SLATES = """
create temp table slates as
select
    tenant, slate_id, occurred_at as shown_at, received_at, campaign, snapshot, schema_hash,
    described is not null as is_sampled,
    live_until,
    session_id,
    list_distinct(list_transform(items, lambda each: each.item_id)) as item_ids
from shown
qualify row_number() over (
    partition by tenant, slate_id order by received_at, occurred_at, event_id
) = 1
"""

_DESCRIPTIONS = """
create temp table descriptions as
select tenant, item_id, received_at as known_at, attributes, labels
from {item}
where recommender = $recommender
qualify row_number() over (
    partition by tenant, item_id, received_at order by occurred_at desc, event_id desc
) = 1
"""

# A place whose item was not described when it was shown, or had arrived if that was earlier, takes the first
# description, if that came no later than the slate.
_PLACES = """
create temp table places as
with shown as (
    select
        tenant, slate_id, shown_at, received_at, campaign.segment as segment, campaign.industry as industry,
        date_part('hour', campaign.send_at at time zone 'UTC') as send_hour,
        unnest(item_ids) as item_id
    from slates
),

first_told as (
    select tenant, item_id, arg_min(labels, known_at) as labels, min(known_at) as known_at
    from descriptions
    group by all
)

select
    shown.*,
    case
        when told.known_at is not null then told.labels['enhancement']
        when first_told.known_at <= shown.received_at then first_told.labels['enhancement']
    end as enhancement
from shown
asof left join descriptions as told
    on
        shown.tenant = told.tenant and shown.item_id = told.item_id
        and least(shown.shown_at, shown.received_at) >= told.known_at
left join first_told on shown.tenant = first_told.tenant and shown.item_id = first_told.item_id
"""

_FACTS = """
create temp table facts as
with reactions as (
    select tenant, slate_id, item_id, occurred_at, received_at, action as kind, 1 as amount
    from {interaction}
    where recommender = $recommender
    union all
    select tenant, slate_id, item_id, occurred_at, received_at, kind, "count" as amount
    from {outcome}
    where recommender = $recommender
),

known as (
    select
        places.*,
        reactions.kind,
        reactions.amount,
        greatest(places.received_at, reactions.received_at) as known_at
    from places
    inner join reactions using (tenant, slate_id, item_id)
    where date_trunc('hour', places.shown_at) <= date_trunc('hour', reactions.occurred_at)
),

told as (
    select *, 'shown' as kind, 1 as amount, received_at as known_at from places
    union all by name
    select * replace (min(known_at) as known_at, 1 as amount) from known
    where kind = 'chosen'
    group by all
    union all by name
    select * from known
    where kind != 'chosen'
)

select
    tenant, item_id, segment, enhancement, industry, send_hour, known_at,
    {sums}
from told
group by all
"""

_WANTED = """
create temp table wanted as
with sampled as (
    select *, sum(len(item_ids)) over (order by shown_at desc, tenant, slate_id) as vectors
    from slates
    where
        is_sampled and shown_at >= $since and schema_hash = $schema_hash
        and snapshot in (select snapshot from marks)
)

select
    sampled.* exclude (item_ids, is_sampled, vectors),
    marks.items_until,
    coalesce(sampled.live_until + interval 1 microsecond, marks.as_of) as until_birth,
    {starts}
from sampled
inner join marks using (snapshot)
where sampled.vectors <= $most
"""

# What a request said of an item goes before what the snapshot knew of it.
_VECTORS = """
create temp table vectors as
with logged as (
    select
        raw.tenant,
        raw.slate_id,
        list_transform(raw.described, lambda each: each.item_id) as described_ids,
        raw.described,
        raw.received_at,
        unnest(raw.items) as place
    from {slate} as raw
    where raw.recommender = $recommender and raw.occurred_at >= $since and raw.described is not null
),

placed as (
    select
        wanted.*,
        wanted.campaign.segment as segment,
        wanted.campaign.industry as industry,
        date_part('hour', wanted.campaign.send_at at time zone 'UTC') as send_hour,
        logged.place.item_id as item_id,
        logged.place.features as logged_features,
        logged.described[list_position(logged.described_ids, logged.place.item_id)] as said
    from wanted
    inner join logged using (tenant, slate_id, received_at)
    where len(logged.place.features) = $features
)

select
    placed.* exclude (said),
    map_concat(coalesce(told.attributes, map()), coalesce(said.attributes, map())) as attributes,
    map_concat(coalesce(told.labels, map()), coalesce(said.labels, map())) as item_labels,
    item_labels['enhancement'] as enhancement
from placed
asof left join descriptions as told
    on placed.tenant = told.tenant and placed.item_id = told.item_id and placed.items_until >= told.known_at
"""

_ROWS = """
select
    vectors.* exclude (campaign, segment, industry, live_until, items_until, received_at, session_id),
    paces.* exclude (tenant, slate_id),
    vectors.segment,
    vectors.industry,
    vectors.campaign.campaign_type as campaign_type,
    vectors.campaign.goal as goal,
    vectors.campaign.mobile_share as mobile_share,
    vectors.campaign.send_at as send_at,
    vectors.campaign.labels as context_labels,
    {counts}
from vectors
left join paces on vectors.tenant = paces.tenant and vectors.slate_id = paces.slate_id
{joins}
order by vectors.shown_at, vectors.tenant, vectors.slate_id, vectors.item_id
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which logged slates of a recommender to count again."""

    recommender: str
    schema_hash: str
    """Of the features that can be computed today."""
    features: int
    """How many there are."""
    entities: tuple[str, ...]
    """What its features count by."""
    since: timedelta
    """How far back from the newest slate."""
    most: int
    """Vectors, of the newest slates; whole slates only."""


@dataclass(frozen=True, slots=True)
class Recounted:
    """What was counted again, and how many sampled slates of each snapshot and schema there were."""

    rows: pa.Table
    """A row for every vector, with the columns that batch features are computed from, what was logged
    (`logged_features`), `tenant`, `slate_id`, `item_id` and `snapshot`.
    """
    sampled: tuple[tuple[str | None, str | None, int], ...]
    """(snapshot, schema hash, vectors) of all sampled slates of the time."""


def recount(
    home: Home, wanted: Wanted, marks: Mapping[str, SnapshotMark], *, threads: int, memory: str | None = None
) -> Recounted:
    """The vectors of sampled slates whose snapshot is in `marks`, with their counts and item descriptions.

    Raises:
        AlreadyRunningError: a compaction changes raw and does not end.
        StorageError: a raw file cannot be read.
    """
    with reading_raw(home), _scratch(threads, memory) as connection:
        try:
            return _recount(connection, RawOfRecommender(home, wanted.recommender), wanted, marks)
        except (duckdb.Error, pa.ArrowException) as error:
            raise StorageError(
                f"expected raw files of today's schema in {home.raw}, found: {as_clause(error)}. "
                "`letterpress lake --verify` names the file."
            ) from error


@contextmanager
def _scratch(threads: int, memory: str | None) -> Iterator[duckdb.DuckDBPyConnection]:
    config: dict[str, str | bool | int | float | list[str]] = {"threads": threads}
    if memory is not None:
        config["memory_limit"] = memory
    with duckdb.connect(config=config) as connection:
        connection.execute("set TimeZone = 'UTC'")
        yield connection


def _scan(files: Sequence[Path], anchor: Path) -> str:
    """SQL of the rows of files, with the columns of `anchor`, an empty one."""
    listed = ", ".join("'" + str(path).replace("'", "''") + "'" for path in (anchor, *files))
    options = "hive_partitioning = true, hive_types_autocast = false"
    options += ", union_by_name = true" if anchor.stem == "slate" else ""  # older files lack columns of it
    return f"read_parquet([{listed}], {options})"


def _recount(
    connection: duckdb.DuckDBPyConnection,
    raw: RawOfRecommender,
    wanted: Wanted,
    marks: Mapping[str, SnapshotMark],
) -> Recounted:
    """Where nothing was sampled, nothing else is opened either."""
    newest = raw.newest_sampled()
    since = NEVER if newest is None else newest - wanted.since
    sources = {
        event: _scan([] if newest is None else raw.event_files(event), raw.anchor(event))
        for event in REACTIONS
    }
    sources["slate"] = _scan([] if newest is None else raw.vector_files(since), raw.anchor("slate"))
    connection.register("shown", SHOWN.empty_table() if newest is None else raw.shown())
    _read(connection, sources, wanted.recommender)
    connection.unregister("shown")
    rows = [(name, mark.as_of or NEVER, mark.items_until or NEVER) for name, mark in marks.items()]
    connection.execute("create temp table marks (snapshot text, as_of timestamptz, items_until timestamptz)")
    if rows:
        connection.executemany("insert into marks values (?, ?, ?)", rows)
    asked = {"since": since, "most": wanted.most, "schema_hash": wanted.schema_hash}
    starts = ",\n    ".join(
        f"date_trunc('day', marks.as_of - interval 1 hour) - interval {days} day as until_{window}"
        for window, days in WINDOW_DAYS.items()
    )
    connection.execute(_WANTED.format(starts=starts), asked)
    count_sessions(connection, sources, wanted.recommender)
    connection.execute(
        _VECTORS.format(**sources),
        {"recommender": wanted.recommender, "since": since, "features": wanted.features},
    )
    sampled = connection.execute(
        "select snapshot, schema_hash, sum(len(item_ids))::bigint from slates "
        "where is_sampled and shown_at >= ? group by all order by all",
        [since],
    ).fetchall()
    for entity in wanted.entities:
        _count(connection, entity)
    return Recounted(connection.sql(_final_query(wanted.entities)).to_arrow_table(), tuple(sampled))


def _read(connection: duckdb.DuckDBPyConnection, sources: Mapping[str, str], recommender: str) -> None:
    """Slates, descriptions, places and facts of a recommender, as temporary tables."""
    sums = ",\n    ".join(
        f"(coalesce(sum(amount) filter (where kind = '{name}'), 0))::bigint as {name}" for name in COUNT_NAMES
    )
    for statement in (_SLATES, _DESCRIPTIONS, _PLACES, _FACTS):
        text = statement.format(sums=sums, **sources)
        connection.execute(text, {"recommender": recommender} if "$recommender" in text else {})


def _count(connection: duckdb.DuckDBPyConnection, entity: str) -> None:
    """Make `<entity>_counted`: counts since birth at every moment at which a vector looks back."""
    keys = ENTITIES[entity]
    names, known = ", ".join(keys), " and ".join(f"{key} is not null" for key in keys)
    same = " and ".join(f"moments.{key} = totals.{key}" for key in keys)
    sums = ", ".join(f"(sum(sum({name})) over until_then)::bigint as {name}" for name in COUNT_NAMES)
    counts = ", ".join(f"totals.{name}" for name in COUNT_NAMES)
    moments = ", ".join(f"until_{window}" for window in WINDOWS)
    connection.execute(f"""
        create temp table {entity}_counted as
        select moments.*, {counts}
        from (
            select distinct {names}, unnest([{moments}]) as moment from vectors where {known}
        ) as moments
        asof inner join (
            select {names}, known_at, {sums}
            from facts
            semi join vectors using ({names})
            group by {names}, known_at
            window until_then as (partition by {names} order by known_at)
        ) as totals
            on {same} and moments.moment > totals.known_at
    """)  # noqa: S608 - our own names


def _final_query(entities: Sequence[str]) -> str:
    joins, counts = [], []
    for entity in entities:
        for window in WINDOWS:
            lookup = f"{entity}_at_{window}"
            same = [f"vectors.{key} = {lookup}.{key}" for key in ENTITIES[entity]]
            condition = " and ".join([*same, f"vectors.until_{window} = {lookup}.moment"])
            joins.append(f"left join {entity}_counted as {lookup} on {condition}")
            counts += [_windowed(entity, window, name) for name in COUNT_NAMES]
    return _ROWS.format(counts=",\n    ".join(counts), joins="\n".join(joins))


def _windowed(entity: str, window: str, name: str) -> str:
    """A count up to the end, less what was counted when the window began; `birth` is the end itself."""
    whole = f"coalesce({entity}_at_birth.{name}, 0)"
    if window == "birth":
        return f"{whole} as {entity}_{name}"
    return f"{whole} - coalesce({entity}_at_{window}.{name}, 0) as {entity}_{name}_{window}"
