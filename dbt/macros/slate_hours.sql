{#- Which slate hours must be rewritten when the raw hours [range_start, range_end) changed.

    A reaction lies in the hour of its own occurrence, not in that of its slate; an item version may describe
    slates of any hour; a second copy of a slate may lie in another hour. So the hours to rewrite are those of
    the slates that lie in the range, or share their id with one that does, or are reacted to in it, or show
    an item that is described in it. Every other row stays as it is, to the bit. -#}
{%- macro slate_hours_touched_sql(range_start, range_end) -%}
with changed_slates as (
    select recommender, tenant, slate_id from {{ ref('stg_letterpress__slates') }}
    where {{ is_in_hours(range_start, range_end, 'shown_at') }}
    union
    select recommender, tenant, slate_id from {{ ref('stg_letterpress__interactions') }}
    where {{ is_in_hours(range_start, range_end) }}
    union
    select recommender, tenant, slate_id from {{ ref('stg_letterpress__outcomes') }}
    where {{ is_in_hours(range_start, range_end) }}
),

changed_items as (
    select distinct recommender, tenant, item_id from {{ ref('stg_letterpress__items') }}
    where {{ is_in_hours(range_start, range_end) }}
),

shown_items as (
    select recommender, tenant, hour, unnest(items).item_id as item_id
    from {{ ref('stg_letterpress__slates') }}
)

select hour
from {{ ref('stg_letterpress__slates') }}
semi join changed_slates using (recommender, tenant, slate_id)
union
select hour
from shown_items
semi join changed_items using (recommender, tenant, item_id)
order by hour
{%- endmacro -%}

{#- The touched hours as a list; none when all of history is to be written. -#}
{%- macro slate_hours_to_rewrite() -%}
{%- if execute and is_incremental() and changed_from() -%}
{%- set found = run_query(slate_hours_touched_sql(changed_from(), changed_until())) -%}
{{- return(found.columns[0].values() | list) -}}
{%- endif -%}
{{- return(none) -}}
{%- endmacro -%}

{#- A condition on the `hour` of a row that is built. -#}
{%- macro is_slate_hour_to_rewrite(hours) -%}
{%- if hours is none -%}true
{%- elif hours -%}hour in ('{{ hours | join("', '") }}')
{%- else -%}false
{%- endif -%}
{%- endmacro -%}

{#- The same of a raw slate: opens only the files that have one of these hours. -#}
{%- macro is_raw_slate_to_rewrite(hours) -%}
{{ is_slate_hour_to_rewrite(hours) }}
{%- if hours %}
    and stored_as in ('{{ (hours + hours | map("truncate", 10, True, "", 0) | list) | unique | join("', '") }}')
    and shown_at >= {{ start_of_hour(hours | min) }}
    and shown_at < {{ start_of_hour(hours | max) }} + interval 1 hour
{%- endif -%}
{%- endmacro -%}

{#- Whether something happened in the hour `since` or later; opens only files that have such hours. -#}
{%- macro is_reaction_since(since) -%}
(stored_as >= '{{ since }}' or stored_as = '{{ since[:10] }}')
    and reacted_at >= {{ start_of_hour(since) }}
{%- endmacro -%}

{#- Pre-hook, in the transaction of the insert that follows: readers see the old rows or the new ones. -#}
{%- macro delete_slate_hours_to_rewrite() -%}
{%- if is_incremental() -%}
{%- set hours = slate_hours_to_rewrite() -%}
delete from {{ this }}
where {{ is_slate_hour_to_rewrite(hours) }}
{%- if hours is not none %} or (hour >= '{{ changed_from() }}' and hour < '{{ changed_until() }}'){% endif %}
{%- endif -%}
{%- endmacro -%}
