with interactions as (
    select * from {{ ref('stg_letterpress__interactions') }}
),

outcomes as (
    select * from {{ ref('stg_letterpress__outcomes') }}
)

select
    recommender,
    tenant,
    slate_id,
    item_id,
    hour as reaction_hour,
    occurred_at as reacted_at,
    stored_as,
    received_at as reaction_received_at,
    action as kind,
    cast(1 as bigint) as amount
from interactions
union all
select
    recommender,
    tenant,
    slate_id,
    item_id,
    hour as reaction_hour,
    occurred_at as reacted_at,
    stored_as,
    received_at as reaction_received_at,
    kind,
    amount
from outcomes
