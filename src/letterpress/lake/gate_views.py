"""What gates look at: views over immutable Parquet, kept in a scratch DuckDB file.

A view costs nothing until it is asked, and a gate never touches the warehouse, so it needs no turn with
its one writer. Each function returns the names of the views that it could make.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from letterpress.errors import NotEnoughDataError, StorageError
from letterpress.events.session import SESSION_COUNTS
from letterpress.events.types import EVENT_NAMES
from letterpress.lake.partition_file import name_of_partition
from letterpress.lake.partitions import HourRange, hours_of_partition
from letterpress.lake.raw_schema import ANCHOR_HOUR, ANCHOR_RECOMMENDER, ensure_anchors, partition_path
from letterpress.lake.snapshot_layout import KNOWN_COUNTS
from letterpress.settings import Home

TOTALS_WINDOW = timedelta(days=14)
"""Outcomes come late, so an hour of clicks is compared with the deliveries of this many days before it."""

_ENVELOPE = "event_id, tenant, recommender, hour, occurred_at, received_at"

_RAW_VIEWS = {
    "raw_slate_items": """
        select recommender, slate_id, item.item_id, item.position, item.propensity
        from (select recommender, slate_id, unnest(items) as item from events_of_slate)
    """,
    "raw_interactions": "select recommender, slate_id, item_id, action from events_of_interaction",
    "raw_outcomes": 'select recommender, slate_id, item_id, kind, "count" from events_of_outcome',
    "raw_outcome_totals": """
        select
            recommender,
            delivered,
            clicked,
            clicked / nullif(delivered, 0) as click_rate
        from (
            select
                recommender,
                coalesce(sum("count") filter (where kind = 'delivered'), 0)::bigint as delivered,
                coalesce(sum("count") filter (where kind = 'clicked'), 0)::bigint as clicked
            from recent_outcomes
            group by recommender
        )
    """,
}

_RAW_SLATES = """
    select
        len(items) as item_count,
        -- A slate of one place comes from a log of single slots, where that place may be any.
        case
            when len(items) = 1 then 0
            else
                greatest(
                    list_max(list_transform(items, lambda item: item.position)), len(items)
                )
                - len(list_distinct(list_transform(items, lambda item: item.position)))
        end as missing_positions
    from events_of_slate
"""

# What ingest knows an event by: ids of two tenants may well be equal, and a missing one is another matter.
_RAW_KEYS = """
    with ids as (
        select count(*) as events
        from raw_events
        where event_id is not null
        group by hash(recommender, tenant, type, event_id)
    )

    select
        coalesce((sum(events) filter (where events > 1)) / sum(events), 0)::double as share_repeated,
        coalesce(sum(events) filter (where events > 1), 0)::bigint as events_with_the_same_id,
        (
            select coalesce(sum(slates) filter (where slates > 1), 0)::bigint
            from (
                select count(*) as slates from events_of_slate group by hash(recommender, tenant, slate_id)
            )
        ) as slates_with_the_same_id
    from ids
"""
# Keys are hashed: of a hundred million two are equal once in three thousand times, and groups of numbers cost
# half of what groups of texts do.
_SLATES_OF_EXAMPLES = """
    select
        count(*) as item_count,
        case
            when count(*) = 1 then 0
            else greatest(max(position), count(*)) - count(distinct position)
        end as missing_positions,
        sum(chosen + clicked)::bigint as positives
    from training_examples
    group by hash(recommender, tenant, slate_id)
"""
_NEEDED_FOR_SLATES = {"recommender", "tenant", "slate_id", "position", "chosen", "clicked"}
_PAST_OF_EXAMPLES = """
    select
        greatest(item_shown - (rank() over by_hour - 1), 0)::bigint as shown_too_early,
        greatest(
            item_clicked - coalesce(
                sum(clicked) over (by_hour range between unbounded preceding and 1 preceding), 0
            ),
            0
        )::bigint as clicked_too_early
    from (
        select
            hash(recommender, tenant, item_id) as item,
            try_cast(replace(replace(hour, '-', ''), 'T', '') as bigint) as hour,
            clicked,
            item_shown,
            item_clicked
        from training_examples
    )
    window by_hour as (partition by item order by hour)
"""
_NEEDED_FOR_PAST = {"recommender", "tenant", "item_id", "hour", "clicked", "item_shown", "item_clicked"}
_KEYS_OF_EXAMPLES = """
    select coalesce(sum(rows) filter (where rows > 1), 0)::bigint as rows_with_the_same_key
    from (
        select count(*) as rows from training_examples group by hash(recommender, tenant, slate_id, item_id)
    )
"""
_NEEDED_FOR_KEYS = {"recommender", "tenant", "slate_id", "item_id"}
_KNOWN = (*KNOWN_COUNTS, *SESSION_COUNTS)
_FACTS_OF_EXAMPLES = (
    ("training_keys", _NEEDED_FOR_KEYS, _KEYS_OF_EXAMPLES),
    ("training_slates", _NEEDED_FOR_SLATES, _SLATES_OF_EXAMPLES),
    ("training_past", _NEEDED_FOR_PAST, _PAST_OF_EXAMPLES),
)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _parquet(files: Iterable[Path]) -> str:
    listed = ", ".join(_quoted(str(path)) for path in files)
    types = "{'recommender': VARCHAR, 'hour': VARCHAR}"
    return f"read_parquet([{listed}], hive_partitioning = true, hive_types = {types})"


def _raw_files(raw: Path, event: str, hours: HourRange | None) -> list[Path]:
    """The schema anchor first, so that its columns are expected of all, then the files of `hours`."""
    found = [
        path
        for path in sorted(raw.glob(f"recommender=*/hour=*/{event}.parquet"))
        if hours is None or hours.overlaps(hours_of_partition(name_of_partition(path)))
    ]
    return [partition_path(raw, ANCHOR_RECOMMENDER, ANCHOR_HOUR, event), *found]


def raw_rows(raw: Path, event: str, hours: HourRange | None) -> str:
    """A query of the rows of `hours`, else of all.

    Rows that a file holds by mistake are among them: they are looked at, not left out. The file of a
    compacted day holds hours of that day which are not asked for.
    """
    if hours is None:
        return f"select * from {_parquet(_raw_files(raw, event, None))}"  # noqa: S608
    return f"""
        select * from {_parquet(_raw_files(raw, event, hours))}
        where
            hour like '%T%'
            or hour is distinct from strftime(occurred_at at time zone 'UTC', '%Y-%m-%d')
            or (occurred_at >= '{hours.start.isoformat()}' and occurred_at < '{hours.end.isoformat()}')
    """  # noqa: S608


def all_hours(home: Home) -> HourRange:
    """The range from the first to the last hour that raw has.

    Raises:
        NotEnoughDataError: raw is empty.
    """
    found = stored_hours(home)
    if not found:
        raise NotEnoughDataError(
            "expected at least one hour of raw events, found none; run `letterpress ingest`."
        )
    return HourRange(min(each.start for each in found), max(each.end for each in found))


def stored_hours(home: Home) -> list[HourRange]:
    """The hours and days that raw has, in no order."""
    names = {path.name.removeprefix("hour=") for path in home.raw.glob("recommender=*/hour=*")}
    return [hours_of_partition(name) for name in names - {ANCHOR_HOUR}]


def create_view(connection: duckdb.DuckDBPyConnection, name: str, query: str) -> None:
    """Make the view `name`. Raises StorageError when a file that it reads has no or another schema."""
    with naming_damage(name):
        connection.execute(f"create view {name} as {query}")


@contextmanager
def naming_damage(name: str) -> Iterator[None]:
    """Makes a StorageError of what DuckDB says while it reads raw for `name`."""
    try:
        yield
    except duckdb.Error as error:
        raise StorageError(
            f"{name}: expected Parquet files of the raw schema, found {str(error).splitlines()[0]} "
            "Remove the file that it names, and ingest its events again."
        ) from error


def make_raw_log_views(home: Home, hours: HourRange, database: Path) -> tuple[str, ...]:
    """Views of the raw events of `hours` in the new file `database`.

    Raises:
        StorageError: a raw file cannot be read.
    """
    ensure_anchors(home.raw)
    window = HourRange(min(hours.start, hours.end - TOTALS_WINDOW), hours.end)
    with duckdb.connect(str(database)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for event in EVENT_NAMES:
            create_view(connection, f"events_of_{event}", raw_rows(home.raw, event, hours))
        create_view(connection, "recent_outcomes", _recent_outcomes(home.raw, window))
        create_view(connection, "raw_events", _all_events())
        for name, query in _RAW_VIEWS.items():
            create_view(connection, name, query)
        with naming_damage("raw_log"):
            connection.execute(f"create table raw_slates as {_RAW_SLATES}")
            connection.execute(f"create table raw_keys as {_RAW_KEYS}")
    return ("raw_events", "raw_keys", "raw_slates", *_RAW_VIEWS)


def _recent_outcomes(raw: Path, window: HourRange) -> str:
    return f'select recommender, kind, "count" from ({raw_rows(raw, "outcome", window)})'  # noqa: S608


def _all_events() -> str:
    union = " union all by name ".join(
        f"select '{event}' as type, {_ENVELOPE} from events_of_{event}"  # noqa: S608
        for event in EVENT_NAMES
    )
    return f"""
        select
            *,
            epoch(occurred_at) - epoch(received_at) as seconds_ahead,
            -- `hour` is the name of the file's folder: an hour, or the day that was compacted.
            starts_with(strftime(occurred_at at time zone 'UTC', '%Y-%m-%dT%H'), hour)::integer
                as is_in_its_hour
        from ({union})
    """  # noqa: S608


def make_training_set_views(
    training: Path, database: Path, leakage: Sequence[Mapping[str, Any]] = ()
) -> tuple[str, ...]:
    """A view of one exported training set, and facts about it, in the new file `database`.

    `leakage` says how well single features tell the labels: `feature`, `label`, `separation`.
    What needs a column that is not there is left out; the suite then names the column and refuses.

    Raises:
        StorageError: the file is missing or is no Parquet file.
    """
    if not training.is_file():
        raise StorageError(
            f"expected a training set at {training}, found none; run `letterpress features` to publish one."
        )
    source = f"read_parquet([{_quoted(str(training))}])"
    with duckdb.connect(str(database)) as connection:
        connection.execute("set TimeZone = 'UTC'")
        create_view(connection, "training_examples", f"select * from {source}")  # noqa: S608
        columns = _columns_of(connection, "training_examples")
        _make_leakage(connection, leakage)
        made = ["training_examples", "training_leakage"]
        facts = [*_FACTS_OF_EXAMPLES, ("training_counts", {*_KNOWN}, _smallest_known_count())]
        for table, needed, query in facts:
            if needed <= set(columns):
                with naming_damage(table):
                    connection.execute(f"create table {table} as {query}")
                made.append(table)
    return tuple(made)


def _make_leakage(connection: duckdb.DuckDBPyConnection, leakage: Sequence[Mapping[str, Any]]) -> None:
    connection.execute("create table training_leakage (feature varchar, label varchar, separation double)")
    if leakage:
        rows = [[row["feature"], row["label"], row["separation"]] for row in leakage]
        connection.executemany("insert into training_leakage values (?, ?, ?)", rows)


def _smallest_known_count() -> str:
    smallest = ", ".join(f"min({name})" for name in _KNOWN)
    return f"select least({smallest}) as smallest_known_count from training_examples"  # noqa: S608 - our own names


def _columns_of(connection: duckdb.DuckDBPyConnection, view: str) -> list[str]:
    return [str(row[0]) for row in connection.execute(f"describe {view}").fetchall()]


def view_columns(database: Path, view: str) -> list[str]:
    """Column names of `view`, in order."""
    with duckdb.connect(str(database), read_only=True) as connection:
        return _columns_of(connection, view)
