select
    recommender,
    tenant,
    {{ occurred_hour() }} as hour,
    hour as stored_as,
    event_id,
    occurred_at,
    received_at,
    slate_id,
    item_id,
    kind,
    arm,
    count as amount
from {{ source('letterpress', 'outcome') }}
