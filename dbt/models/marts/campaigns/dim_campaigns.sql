-- A campaign is told by its own events and by every slate that was asked for it: what arrived last stands.
with campaigns as (
    select * from {{ ref('stg_letterpress__campaigns') }}
),

slates as (
    select * from {{ ref('stg_letterpress__slates') }}
),

told as (
    select
        recommender,
        tenant,
        campaign_id,
        industry,
        campaign_type,
        goal,
        segment,
        mobile_share,
        send_at,
        context_labels,
        occurred_at,
        received_at,
        event_id,
        0 as slates
    from campaigns
    union all
    select
        recommender,
        tenant,
        campaign_id,
        industry,
        campaign_type,
        goal,
        segment,
        mobile_share,
        send_at,
        context_labels,
        shown_at as occurred_at,
        received_at,
        event_id,
        1 as slates
    from slates
)

select
    recommender,
    tenant,
    campaign_id,
    industry,
    campaign_type,
    goal,
    segment,
    mobile_share,
    send_at,
    context_labels,
    min(received_at) over the_campaign as first_known_at,
    received_at as known_at,
    cast(sum(slates) over the_campaign as bigint) as slates
from told
window the_campaign as (partition by recommender, tenant, campaign_id)
qualify row_number() over (
    partition by recommender, tenant, campaign_id
    order by received_at desc, occurred_at desc, event_id desc
) = 1
