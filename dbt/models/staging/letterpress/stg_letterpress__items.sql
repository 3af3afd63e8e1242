select
    recommender,
    tenant,
    {{ occurred_hour() }} as hour,
    hour as stored_as,
    event_id,
    occurred_at,
    received_at,
    item_id,
    kind as item_kind,
    source_id,
    attributes,
    labels as item_labels
from {{ source('letterpress', 'item') }}
