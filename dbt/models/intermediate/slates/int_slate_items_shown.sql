with slates as (
    select * from {{ ref('int_slates_deduplicated') }}
),

versions as (
    select * from {{ ref('int_item_versions') }}
),

items as (
    select
        recommender,
        tenant,
        item_id,
        list(known_at order by version) as known_ats
    from versions
    group by all
),

-- An item that a slate names twice counts once, at its first place.
shown as (
    select
        * exclude (items),
        list_transform(items, lambda each: each.item_id) as item_ids,
        unnest(items) as place,
        generate_subscripts(items, 1) as nth
    from slates
),

placed as (
    select
        * exclude (place, item_ids, nth),
        place.item_id,
        place.position,
        place.score,
        place.propensity,
        place.features as logged_features,
        least(shown_at, received_at) as known_until
    from shown
    where list_position(item_ids, place.item_id) = nth
),

-- The item as it was known when the slate was shown, or had arrived where its clock is ahead; failing that,
-- its first version if that arrived no later than the slate. What arrives afterwards never changes the row.
numbered as (
    select
        placed.*,
        case
            when items.known_ats[1] <= placed.known_until
                then len(list_filter(items.known_ats, lambda known_at: known_at <= placed.known_until))
            when items.known_ats[1] <= placed.received_at
                then 1
        end as version
    from placed
    left join items
        on
            placed.recommender = items.recommender
            and placed.tenant = items.tenant
            and placed.item_id = items.item_id
)

select
    numbered.* exclude (version, known_until),
    versions.item_kind,
    versions.source_id,
    versions.attributes,
    versions.item_labels
from numbered
left join versions
    on
        numbered.recommender = versions.recommender
        and numbered.tenant = versions.tenant
        and numbered.item_id = versions.item_id
        and numbered.version = versions.version
