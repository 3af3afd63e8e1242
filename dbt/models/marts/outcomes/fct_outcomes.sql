{{ config(materialized='view') }}
with slate_items as (
    select * from {{ ref('fct_slate_items') }}
),

told as (
    select
        recommender,
        tenant,
        slate_id,
        campaign_id,
        item_id,
        shown_at,
        hour,
        industry,
        segment,
        send_at,
        shown_as_of_at,
        unnest(outcome_hours) as counts
    from slate_items
)

select
    recommender,
    tenant,
    slate_id,
    campaign_id,
    item_id,
    shown_at,
    hour,
    industry,
    segment,
    send_at,
    shown_as_of_at,
    counts.as_of_at,
    counts.delivered,
    counts.opened,
    counts.clicked,
    counts.converted,
    counts.unsubscribed,
    counts.bounced
from told
