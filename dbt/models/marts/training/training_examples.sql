-- Counts are those that had arrived before the slate's hour began: what a snapshot published at that time,
-- from complete hours only, would have held. They are looked up once for each entity and hour.
with slate_items as (
    select
        *,
        date_trunc('hour', shown_at) as hour_at
    from {{ ref('fct_slate_items') }}
),

scores as (
    select * from {{ ref('fct_email_scores') }}
),

item_totals as (
    select
        recommender,
        tenant,
        item_id,
        as_of_at,
        {{- running_counts('since_birth') }}
    from {{ ref('ftr_item_hours') }}
    window since_birth as (partition by recommender, tenant, item_id order by as_of_at)
),

item_moments as (
    select distinct
        recommender,
        tenant,
        item_id,
        hour_at
    from slate_items
),

item as (
    select
        hours.recommender,
        hours.tenant,
        hours.item_id,
        hours.hour_at,
        {{- known_counts('totals') }}
    from item_moments as hours
    asof inner join item_totals as totals
        on
            hours.recommender = totals.recommender
            and hours.tenant = totals.tenant
            and hours.item_id = totals.item_id
            and hours.hour_at >= totals.as_of_at
),

item_segment_totals as (
    select
        recommender,
        tenant,
        item_id,
        segment,
        as_of_at,
        {{- running_counts('since_birth') }}
    from {{ ref('ftr_item_segment_hours') }}
    window since_birth as (partition by recommender, tenant, item_id, segment order by as_of_at)
),

item_segment_moments as (
    select distinct
        recommender,
        tenant,
        item_id,
        segment,
        hour_at
    from slate_items
),

item_segment as (
    select
        hours.recommender,
        hours.tenant,
        hours.item_id,
        hours.segment,
        hours.hour_at,
        {{- known_counts('totals') }}
    from item_segment_moments as hours
    asof inner join item_segment_totals as totals
        on
            hours.recommender = totals.recommender
            and hours.tenant = totals.tenant
            and hours.item_id = totals.item_id
            and hours.segment = totals.segment
            and hours.hour_at >= totals.as_of_at
),

enhancement_industry_totals as (
    select
        recommender,
        enhancement,
        industry,
        as_of_at,
        {{- running_counts('since_birth') }}
    from {{ ref('ftr_enhancement_industry_hours') }}
    window since_birth as (partition by recommender, enhancement, industry order by as_of_at)
),

enhancement_industry_moments as (
    select distinct
        recommender,
        enhancement,
        industry,
        hour_at
    from slate_items
),

enhancement_industry as (
    select
        hours.recommender,
        hours.enhancement,
        hours.industry,
        hours.hour_at,
        {{- known_counts('totals') }}
    from enhancement_industry_moments as hours
    asof inner join enhancement_industry_totals as totals
        on
            hours.recommender = totals.recommender
            and hours.enhancement = totals.enhancement
            and hours.industry = totals.industry
            and hours.hour_at >= totals.as_of_at
)

select
    slate_items.recommender,
    slate_items.tenant,
    slate_items.slate_id,
    slate_items.campaign_id,
    slate_items.slot,
    slate_items.item_id,
    slate_items.position,
    slate_items.propensity,
    slate_items.policy,
    slate_items.shown_at,
    slate_items.hour,
    slate_items.industry,
    slate_items.campaign_type,
    slate_items.goal,
    slate_items.segment,
    slate_items.mobile_share,
    slate_items.send_at,
    slate_items.context_labels,
    slate_items.item_kind,
    slate_items.source_id,
    slate_items.attributes,
    slate_items.item_labels,
    slate_items.logged_schema_hash,
    slate_items.logged_features,
    {{- counts_or_zero('item') }},
    {{- counts_or_zero('item_segment') }},
    {{- counts_or_zero('enhancement_industry') }},
    slate_items.chosen,
    slate_items.delivered,
    slate_items.clicked,
    slate_items.converted,
    slate_items.unsubscribed,
    scores.email_score
from slate_items
left join scores
    on
        slate_items.recommender = scores.recommender
        and slate_items.tenant = scores.tenant
        and slate_items.slate_id = scores.slate_id
        and slate_items.item_id = scores.item_id
left join item
    on
        slate_items.recommender = item.recommender
        and slate_items.tenant = item.tenant
        and slate_items.item_id = item.item_id
        and slate_items.hour_at = item.hour_at
left join item_segment
    on
        slate_items.recommender = item_segment.recommender
        and slate_items.tenant = item_segment.tenant
        and slate_items.item_id = item_segment.item_id
        and slate_items.segment = item_segment.segment
        and slate_items.hour_at = item_segment.hour_at
left join enhancement_industry
    on
        slate_items.recommender = enhancement_industry.recommender
        and slate_items.enhancement = enhancement_industry.enhancement
        and slate_items.industry = enhancement_industry.industry
        and slate_items.hour_at = enhancement_industry.hour_at
