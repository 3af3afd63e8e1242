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
    action
from {{ source('letterpress', 'interaction') }}
