{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ delete_slate_hours(score_hours_to_rewrite()) }}",
    )
}}
-- Each rate is compared with what the tenant, and behind it the industry, had got until 48 hours before the
-- slate: young counts are not complete. For the same reason a slate has no score until it is 48 hours older
-- than what arrived last. Every sum is one of integers, so no order of rows changes a bit.
with outcomes as (
    select * from {{ ref('fct_outcomes') }}
),

sent_items as (
    select
        *,
        delivered + bounced as sent,
        {{ known_hour('fct_slate_items') }} - interval 48 hours as norm_at
    from {{ ref('fct_slate_items') }} as fct_slate_items
    where
        delivered + bounced > 0
        and {{ is_slate_hour_to_rewrite(score_hours_to_rewrite()) }}
),

newest as (
    select max(as_of_at) - interval 48 hours as settled_at
    from outcomes
),
{{ told_by_then() }}

tenant_hours as (
    select
        recommender,
        tenant,
        as_of_at,
        {{- summed_outcomes() }}
    from told_by_then
    group by all
),

tenant_totals as (
    select
        recommender,
        tenant,
        as_of_at,
        {{- running_outcomes('until_then') }}
    from tenant_hours
    window until_then as (partition by recommender, tenant order by as_of_at)
),

industry_hours as (
    select
        recommender,
        industry,
        as_of_at,
        {{- summed_outcomes() }}
    from told_by_then
    where industry is not null
    group by all
),

industry_totals as (
    select
        recommender,
        industry,
        as_of_at,
        {{- running_outcomes('until_then') }}
    from industry_hours
    window until_then as (partition by recommender, industry order by as_of_at)
),

with_norms as (
    select
        sent_items.*,
        {{- email_score_norms('tenant_totals', 'industry_totals') }}
    from sent_items
    asof left join tenant_totals
        on
            sent_items.recommender = tenant_totals.recommender
            and sent_items.tenant = tenant_totals.tenant
            and sent_items.norm_at >= tenant_totals.as_of_at
    asof left join industry_totals
        on
            sent_items.recommender = industry_totals.recommender
            and sent_items.industry = industry_totals.industry
            and sent_items.norm_at >= industry_totals.as_of_at
)

select
    with_norms.recommender,
    with_norms.tenant,
    with_norms.slate_id,
    with_norms.campaign_id,
    with_norms.item_id,
    with_norms.shown_at,
    with_norms.hour,
    with_norms.sent,
    with_norms.norm_opened,
    with_norms.norm_clicked,
    with_norms.norm_converted,
    with_norms.norm_unsubscribed,
    with_norms.norm_bounced,
    case
        when with_norms.shown_at <= newest.settled_at
            then 100 / (1 + exp(-{{ email_score_swing() }} * ({{ email_score_exponent('with_norms') }})))
    end as email_score
from with_norms
cross join newest
