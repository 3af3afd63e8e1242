{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ delete_slate_hours_to_rewrite() }}",
    )
}}
-- One row for each thing that became known of a shown item: that it was shown, chosen, delivered, ...
with slate_items as (
    select
        *,
        {{ send_hour() }} as send_hour
    from {{ ref('fct_slate_items') }}
    where {{ is_slate_hour_to_rewrite(slate_hours_to_rewrite()) }}
),

outcome_hours as (
    select
        hour,
        recommender,
        tenant,
        item_id,
        segment,
        enhancement,
        industry,
        send_hour,
        unnest(outcome_hours) as outcome_hour
    from slate_items
)

select
    hour,
    recommender,
    tenant,
    item_id,
    segment,
    enhancement,
    industry,
    send_hour,
    shown_as_of_at as as_of_at,
    1 as shown,
    0 as chosen,
    0 as delivered,
    0 as clicked,
    0 as converted,
    0 as unsubscribed
from slate_items
union all
select
    hour,
    recommender,
    tenant,
    item_id,
    segment,
    enhancement,
    industry,
    send_hour,
    chosen_as_of_at as as_of_at,
    0 as shown,
    1 as chosen,
    0 as delivered,
    0 as clicked,
    0 as converted,
    0 as unsubscribed
from slate_items
where chosen_as_of_at is not null
union all
select
    hour,
    recommender,
    tenant,
    item_id,
    segment,
    enhancement,
    industry,
    send_hour,
    outcome_hour.as_of_at,
    0 as shown,
    0 as chosen,
    outcome_hour.delivered,
    outcome_hour.clicked,
    outcome_hour.converted,
    outcome_hour.unsubscribed
from outcome_hours
