select
    recommender,
    tenant,
    hour,
    event_id,
    occurred_at,
    received_at,
    item_id,
    kind as item_kind,
    source_id,
    attributes,
    labels as item_labels
from {{ source('letterpress', 'item') }}
