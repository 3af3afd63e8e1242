{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ delete_slate_hours(session_hours_to_rewrite()) }}",
    )
}}
{% set hours = session_hours_to_rewrite() %}
{% set past = session_past(hours) %}
-- Who asked is read here and not kept: a session is named by none of the marts.
with slates as (
    select
        *,
        least(shown_at, received_at) as known_until
    from {{ ref('int_slates_deduplicated') }}
    where
        session_id is not null
        and {{ arrived_in_session_past(hours, past) }}
),

interactions as (
    select * from {{ ref('stg_letterpress__interactions') }}
    where {{ happened_in_session_past(past) }}
),

-- Nothing reacts to a slate before the hour in which it is shown; what is told twice is one reaction.
reactions as (
    select
        slates.recommender,
        slates.tenant,
        slates.session_id,
        slates.slate_id,
        slates.received_at,
        interactions.item_id,
        interactions.action,
        min(interactions.received_at) as told_at
    from slates
    inner join interactions
        on
            slates.recommender = interactions.recommender
            and slates.tenant = interactions.tenant
            and slates.slate_id = interactions.slate_id
            and slates.hour <= interactions.hour
    group by all
),

-- A reaction is known once it and its slate have arrived.
moves as (
    select
        recommender,
        tenant,
        session_id,
        received_at as known_at,
        1 as requests,
        0 as choices,
        0 as edits
    from slates
    union all
    select
        recommender,
        tenant,
        session_id,
        greatest(received_at, told_at) as known_at,
        0 as requests,
        cast(action = 'chosen' as integer) as choices,
        1 as edits
    from reactions
    where
        told_at >= {{ session_start('received_at') }}
        and received_at >= {{ session_start('told_at') }}
),

totals as (
    select
        recommender,
        tenant,
        session_id,
        known_at,
        cast(sum(sum(requests)) over until_then as bigint) as requests,
        cast(sum(sum(choices)) over until_then as bigint) as choices,
        cast(sum(sum(edits)) over until_then as bigint) as edits
    from moves
    group by recommender, tenant, session_id, known_at
    window until_then as (partition by recommender, tenant, session_id order by known_at)
),

askers as (
    select
        recommender,
        tenant,
        session_id,
        slate_id,
        hour,
        known_until,
        {{ session_start('known_until') }} as began_at
    from slates
    where {{ is_slate_hour_to_rewrite(hours) }}
)

select
    askers.recommender,
    askers.tenant,
    askers.slate_id,
    askers.hour,
    askers.known_until as as_of_at,
    {{- session_counts('until_now', 'until_then') }}
    case
        when first_move.known_at < askers.known_until
            then epoch_us(askers.known_until) - epoch_us(first_move.known_at)
        else 0
    end as session_microseconds
from askers
asof left join totals as until_now
    on
        askers.recommender = until_now.recommender
        and askers.tenant = until_now.tenant
        and askers.session_id = until_now.session_id
        and askers.known_until > until_now.known_at
asof left join totals as until_then
    on
        askers.recommender = until_then.recommender
        and askers.tenant = until_then.tenant
        and askers.session_id = until_then.session_id
        and askers.began_at > until_then.known_at
asof left join totals as first_move
    on
        askers.recommender = first_move.recommender
        and askers.tenant = first_move.tenant
        and askers.session_id = first_move.session_id
        and askers.began_at <= first_move.known_at
