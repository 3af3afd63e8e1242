"""Counts again, straight from raw, how fast the sessions of logged slates went (ADR 0035).

Works on the tables of `recount.py`: `slates`, the first copy of each, and `wanted`, those that are audited.
"""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from letterpress.events.session import SESSION_SPAN

# When sessions asked for slates (`asked`), and when what they did to these became known.
_MOVES = """
create temp table moves as
with first_told as (
    select
        slates.tenant, slates.session_id, slates.slate_id, slates.received_at, told.item_id, told.action,
        min(told.received_at) as told_at
    from slates
    inner join {interaction} as told using (tenant, slate_id)
    where
        told.recommender = $recommender and slates.session_id is not null
        and date_trunc('hour', slates.shown_at) <= date_trunc('hour', told.occurred_at)
    group by all
)

select tenant, session_id, received_at as known_at, 'asked' as action
from slates
where session_id is not null
union all
select tenant, session_id, greatest(received_at, told_at), action
from first_told
where abs(epoch_us(told_at) - epoch_us(received_at)) <= {span}
"""

# Only live counts know of sessions: without them nothing is known of one.
_PACES = """
create temp table paces as
select
    wanted.tenant, wanted.slate_id,
    count(*) filter (where action = 'asked') as session_requests,
    count(*) filter (where action = 'chosen') as session_choices,
    count(*) filter (where action != 'asked') as session_edits,
    coalesce(epoch_us(any_value(until_birth)) - min(epoch_us(known_at)), 0) as session_microseconds
from wanted
left join moves
    on
        wanted.tenant = moves.tenant and wanted.session_id = moves.session_id
        and moves.known_at < wanted.until_birth
        and epoch_us(moves.known_at) >= epoch_us(wanted.until_birth) - {span}
where wanted.live_until is not null and wanted.session_id is not null
group by all
"""


def count_sessions(
    connection: duckdb.DuckDBPyConnection, sources: Mapping[str, str], recommender: str
) -> None:
    """Make `paces`: a row for each slate of `wanted` that was served with a session that live counts knew."""
    span = SESSION_SPAN // SESSION_SPAN.resolution
    connection.execute(_MOVES.format(span=span, **sources), {"recommender": recommender})
    connection.execute(_PACES.format(span=span))
