with versions as (
    select * from {{ ref('int_item_versions') }}
)

select
    recommender,
    tenant,
    item_id,
    item_kind,
    source_id,
    attributes,
    item_labels,
    known_at
from versions
qualify row_number() over (partition by recommender, tenant, item_id order by version desc) = 1
