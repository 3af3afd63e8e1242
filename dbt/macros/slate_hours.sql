{#- Which slate hours must be rewritten when the raw hours [range_start, range_end) changed.

    A reaction lies in the hour of its own occurrence, not in that of its slate; an item version may describe
    slates of any hour; a second copy of a slate may lie in another hour. So the hours to rewrite are those of
    the slates that lie in the range, or share their id with one that does, or are reacted to in it, or show
    an item that is described in it. Every other row stays as it is, to the bit. -#}
{%- macro slate_hours_touched_sql(range_start, range_end) -%}
with changed_slates as (
    select recommender, tenant, slate_id from {{ ref('stg_letterpress__slates') }}
    where hour >= '{{ range_start }}' and hour < '{{ range_end }}'
    union
    select recommender, tenant, slate_id from {{ ref('stg_letterpress__interactions') }}
    where hour >= '{{ range_start }}' and hour < '{{ range_end }}'
    union
    select recommender, tenant, slate_id from {{ ref('stg_letterpress__outcomes') }}
    where hour >= '{{ range_start }}' and hour < '{{ range_end }}'
),

changed_items as (
    select distinct recommender, tenant, item_id from {{ ref('stg_letterpress__items') }}
    where hour >= '{{ range_start }}' and hour < '{{ range_end }}'
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

{#- A condition on the slate's `hour` with constants in it, so that DuckDB opens only the files it needs. -#}
{%- macro is_slate_hour_to_rewrite(hours) -%}
{%- if hours is none -%}true
{%- elif hours -%}hour in ('{{ hours | join("', '") }}')
{%- else -%}false
{%- endif -%}
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
