select
    recommender,
    tenant,
    hour,
    event_id,
    occurred_at,
    received_at,
    slate_id,
    item_id,
    kind,
    arm,
    count as amount
from {{ source('letterpress', 'outcome') }}
