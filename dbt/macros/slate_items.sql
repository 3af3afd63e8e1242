{#- The slate hours of all history in parts of so many slates, each a list of hours; a single part without a list
    where all is asked for at once: a small history, a unit test, and a range. -#}
{%- macro slate_hour_parts() -%}
{%- if not execute or this is none or is_partial() or not load_relation(ref('stg_letterpress__slates')) -%}
{{- return([none]) -}}
{%- endif -%}
{%- set query -%}
with hours as (
    select hour, count(*) as slates from {{ ref('stg_letterpress__slates') }}
    group by all
),

numbered as (
    select hour, (sum(slates) over (order by hour) - slates) // {{ slates_in_a_part() }} as part from hours
)

select string_agg(hour, ' ' order by hour) as hours from numbered
group by part
order by part
{%- endset -%}
{%- set parts = [] -%}
{%- for hours in ask_list(query) -%}
{%- do parts.append(hours.split(' ')) -%}
{%- endfor -%}
{{- return(parts if parts | length > 1 else [none]) -}}
{%- endmacro -%}

{%- macro slates_in_a_part() -%}
{{- return(env_var('LETTERPRESS_BUILD_PART_SLATES', '400000') | int) -}}
{%- endmacro -%}

{#- A pre-hook that runs nothing: once the table is there, its post-hook cannot tell any more whether all was asked
    for. Both see the same `model`. -#}
{%- macro plan_later_parts() -%}
{%- do model.update({'later_parts': slate_hour_parts()[1:]}) -%}
{%- endmacro -%}

{#- A post-hook, in the transaction of the first part. -#}
{%- macro insert_later_parts() -%}
{%- if execute and 'later_parts' not in model -%}
{{- exceptions.raise_compiler_error('expected the parts that `plan_later_parts` left in `model`, found none') -}}
{%- endif -%}
{%- for hours in model.get('later_parts', []) %}
insert into {{ this }} by name ({{ slate_items_of(hours) }});
{%- endfor -%}
{%- endmacro -%}

{#- Items of the slates of these hours, or of all, with what was done with them. -#}
{%- macro slate_items_of(hours) -%}
with shown as (
    select * from {{ ref('int_slate_items_shown') }}
    where {{ is_raw_slate_to_rewrite(hours) }}
),

reactions as (
    select * from {{ ref('int_slate_item_reactions') }}
    {%- if hours %}
    where {{ is_reaction_since(hours | min) }}
    {%- endif %}
),

-- Nothing reacts to a slate before the hour in which it is shown. A reaction is known once both it and its
-- slate have arrived, from the end of that hour on.
known_reactions as (
    select
        shown.recommender,
        shown.tenant,
        shown.slate_id,
        shown.item_id,
        reactions.kind,
        reactions.amount,
        date_trunc('hour', greatest(shown.received_at, reactions.reaction_received_at))
        + interval 1 hour as as_of_at
    from shown
    inner join reactions
        on
            shown.recommender = reactions.recommender
            and shown.tenant = reactions.tenant
            and shown.slate_id = reactions.slate_id
            and shown.item_id = reactions.item_id
            and shown.hour <= reactions.reaction_hour
),

reaction_hours as (
    select
        recommender,
        tenant,
        slate_id,
        item_id,
        as_of_at,
        bool_or(kind = 'chosen') as is_chosen,
        cast(coalesce(sum(amount) filter (where kind = 'delivered'), 0) as bigint) as delivered,
        cast(coalesce(sum(amount) filter (where kind = 'opened'), 0) as bigint) as opened,
        cast(coalesce(sum(amount) filter (where kind = 'clicked'), 0) as bigint) as clicked,
        cast(coalesce(sum(amount) filter (where kind = 'converted'), 0) as bigint) as converted,
        cast(coalesce(sum(amount) filter (where kind = 'unsubscribed'), 0) as bigint) as unsubscribed,
        cast(coalesce(sum(amount) filter (where kind = 'bounced'), 0) as bigint) as bounced
    from known_reactions
    group by all
),

totals as (
    select
        recommender,
        tenant,
        slate_id,
        item_id,
        min(as_of_at) filter (where is_chosen) as chosen_as_of_at,
        cast(sum(delivered) as bigint) as delivered,
        cast(sum(opened) as bigint) as opened,
        cast(sum(clicked) as bigint) as clicked,
        cast(sum(converted) as bigint) as converted,
        cast(sum(unsubscribed) as bigint) as unsubscribed,
        cast(sum(bounced) as bigint) as bounced,
        list(
            struct_pack(as_of_at, delivered, opened, clicked, converted, unsubscribed, bounced)
            order by as_of_at
        ) filter (
            where delivered + opened + clicked + converted + unsubscribed + bounced > 0
        ) as outcome_hours
    from reaction_hours
    group by all
)

select
    shown.recommender,
    shown.tenant,
    shown.slate_id,
    shown.campaign_id,
    shown.slot,
    shown.item_id,
    cast(shown.position as integer) as position,
    shown.score,
    shown.propensity,
    shown.policy,
    shown.model,
    shown.snapshot,
    shown.shown_at,
    shown.hour,
    shown.industry,
    shown.campaign_type,
    shown.goal,
    shown.segment,
    shown.mobile_share,
    shown.send_at,
    shown.context_labels,
    shown.item_kind,
    shown.source_id,
    shown.attributes,
    shown.item_labels,
    shown.item_labels['enhancement'] as enhancement,
    shown.logged_schema_hash,
    shown.logged_features,
    date_trunc('hour', shown.received_at) + interval 1 hour as shown_as_of_at,
    totals.chosen_as_of_at,
    totals.outcome_hours,
    cast(totals.chosen_as_of_at is not null as integer) as chosen,
    coalesce(totals.delivered, 0) as delivered,
    coalesce(totals.opened, 0) as opened,
    coalesce(totals.clicked, 0) as clicked,
    coalesce(totals.converted, 0) as converted,
    coalesce(totals.unsubscribed, 0) as unsubscribed,
    coalesce(totals.bounced, 0) as bounced
from shown
left join totals
    on
        shown.recommender = totals.recommender
        and shown.tenant = totals.tenant
        and shown.slate_id = totals.slate_id
        and shown.item_id = totals.item_id
{%- endmacro -%}
