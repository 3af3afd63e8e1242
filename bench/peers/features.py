"""Peer: the marts by one hand-written DuckDB script, in a process of its own.

`features.sql` says all but the counts that every entity has alike. Started by `bench.features` as
`python -m bench.peers.features RAW DATABASE THREADS MEMORY`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

KEYS = {
    "item": "recommender, tenant, item_id",
    "item_segment": "recommender, tenant, item_id, segment",
    "enhancement_industry": "recommender, enhancement, industry",
    "enhancement": "recommender, enhancement",
    "tenant": "recommender, tenant",
    "send_hour": "recommender, tenant, send_hour",
}
COUNTS = ("shown", "chosen", "delivered", "clicked", "converted", "unsubscribed")
WINDOWS = (28, 7, 1)
"""Whole days, and the day so far."""
EXAMPLE = (
    "recommender, tenant, slate_id, campaign_id, slot, item_id, position, propensity, policy, shown_at, "
    "hour, industry, campaign_type, goal, segment, mobile_share, send_at, context_labels, item_kind, "
    "source_id, attributes, item_labels, logged_schema_hash, logged_features, session_requests, "
    "session_choices, session_edits, session_microseconds, chosen, delivered, clicked, converted, "
    "unsubscribed, email_score"
)
_HOURS = """
create table ftr_{entity}_hours as
select {keys}, as_of_at, {sums}
from told where {is_known}
group by {keys}, as_of_at
"""
_TOTALS = """
create temp table {entity}_totals as
select {keys}, as_of_at, {running}
from ftr_{entity}_hours
inner join (select {keys}, max(known_until) as last_look from examples group by all) using ({keys})
where as_of_at <= last_look
window until_then as (partition by {keys} order by as_of_at)
"""
_KNOWN = """
create temp table {entity}_known as
with looks as (
    select distinct {keys}, known_until from examples where {is_known}
),
{befores}
known as (
    select looks.*, {totals}
    from looks asof inner join {entity}_totals as totals on {same} and looks.known_until >= totals.as_of_at
)
select {known_keys}, known.known_until, {counts}
from known {joins}
"""
_BEFORE = """
before_{days} as (
    select {look_keys}, looks.known_until, {totals}
    from looks asof inner join {entity}_totals as totals
    on
        {same}
        and date_trunc('day', looks.known_until - interval 1 hour) - interval {days} day >= totals.as_of_at
),
"""
_EXAMPLES = """
create temp table examples as
select
    *,
    date_part('hour', send_at) as send_hour,
    least(date_trunc('hour', shown_at), shown_as_of_at - interval 1 hour) as known_until
from fct_slate_items
left join (select recommender, tenant, slate_id, item_id, email_score from fct_email_scores)
    using (recommender, tenant, slate_id, item_id)
left join (
    select
        recommender, tenant, slate_id, session_requests, session_choices, session_edits, session_microseconds
    from ftr_slate_sessions
) using (recommender, tenant, slate_id)
"""


def count_statements(entity: str) -> list[str]:
    """What makes the counts of one entity, by hour and as known at each look."""
    keys = KEYS[entity].split(", ")
    words = {
        "entity": entity,
        "keys": KEYS[entity],
        "is_known": " and ".join(f"{key} is not null" for key in keys),
        "same": " and ".join(f"looks.{key} = totals.{key}" for key in keys),
        "look_keys": ", ".join(f"looks.{key}" for key in keys),
        "known_keys": ", ".join(f"known.{key}" for key in keys),
        "sums": ", ".join(f"sum({name})::bigint as {name}" for name in COUNTS),
        "running": ", ".join(f"(sum({name}) over until_then)::bigint as {name}" for name in COUNTS),
        "totals": ", ".join(f"totals.{name}" for name in COUNTS),
    }
    words["befores"] = "".join(_BEFORE.format(days=days, **words) for days in WINDOWS)
    counts = [f"known.{name} as {entity}_{name}" for name in COUNTS]
    joins = []
    for days in WINDOWS:
        before = f"before_{days}"
        counts += [
            f"known.{name} - coalesce({before}.{name}, 0) as {entity}_{name}_{days}d" for name in COUNTS
        ]
        joins.append(f"left join {before} using ({KEYS[entity]}, known_until)")
    words |= {"counts": ", ".join(counts), "joins": " ".join(joins)}
    return [each.format(**words) for each in (_HOURS, _TOTALS, _KNOWN)]


def examples_statement() -> str:
    """The training set: context, item, counts of every entity, and targets."""
    names = [
        f"{entity}_{count}{window}"
        for entity in KEYS
        for window in ("", *(f"_{days}d" for days in WINDOWS))
        for count in COUNTS
    ]
    counts = ", ".join(f"coalesce({name}, 0) as {name}" for name in names)
    joins = " ".join(f"left join {entity}_known using ({KEYS[entity]}, known_until)" for entity in KEYS)
    return f"create table training_examples as select {EXAMPLE}, {counts} from examples {joins}"


def script(raw: Path) -> str:
    """All statements, in order."""
    written = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8").replace("$RAW", str(raw))
    counted = [statement for entity in KEYS for statement in count_statements(entity)]
    return ";\n".join([written.rstrip().rstrip(";"), _EXAMPLES, *counted, examples_statement()])


def main(raw: str, database: str, threads: str, memory: str) -> None:
    with duckdb.connect(database, config={"threads": int(threads)}) as connection:
        connection.execute(f"set TimeZone = 'UTC'; set memory_limit = '{memory}'")
        connection.execute("set enable_progress_bar = false")
        connection.execute(script(Path(raw)))


if __name__ == "__main__":
    main(*sys.argv[1:])
