-- When one arrival brings several descriptions of an item, the one that occurred last stands; a description
-- that says nothing new is no new version.
with items as (
    select * from {{ ref('stg_letterpress__items') }}
),

arrivals as (
    select
        recommender,
        tenant,
        item_id,
        received_at as known_at,
        item_kind,
        source_id,
        attributes,
        item_labels
    from items
    qualify row_number() over (
        partition by recommender, tenant, item_id, received_at
        order by occurred_at desc, event_id desc
    ) = 1
),

versions as (
    select
        *,
        struct_pack(item_kind, source_id, attributes, item_labels) as description
    from arrivals
    qualify
        description is distinct from
        lag(description) over (partition by recommender, tenant, item_id order by known_at)
)

select
    * exclude (description),
    row_number() over (partition by recommender, tenant, item_id order by known_at) as version
from versions
