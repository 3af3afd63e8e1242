select
    recommender,
    tenant,
    hour,
    event_id,
    occurred_at,
    received_at,
    slate_id,
    item_id,
    action
from {{ source('letterpress', 'interaction') }}
