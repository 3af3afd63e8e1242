{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ delete_slate_hours(example_hours_to_rewrite()) }}",
    )
}}
-- Counts are those that had arrived before the slate's hour began, less the declared publication lag: what a
-- snapshot published at that time, from complete hours only, would have held. A slate that says a later hour
-- than that of its arrival has a wrong clock.
with slate_items as (
    select
        *,
        {{ send_hour() }} as send_hour,
        {{ known_hour('fct_slate_items') }} - interval {{ publication_lag_hours() }} hour as known_until
    from {{ ref('fct_slate_items') }} as fct_slate_items
    where {{ is_slate_hour_to_rewrite(example_hours_to_rewrite()) }}
),

scores as (
    select * from {{ ref('fct_email_scores') }}
),

sessions as (
    select * from {{ ref('ftr_slate_sessions') }}
),
{{ known_counts() }}

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
    {{- counts_or_zero() }},
    sessions.session_requests,
    sessions.session_choices,
    sessions.session_edits,
    sessions.session_microseconds,
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
left join sessions
    on
        slate_items.recommender = sessions.recommender
        and slate_items.tenant = sessions.tenant
        and slate_items.slate_id = sessions.slate_id
{{- join_known_counts('slate_items') }}
