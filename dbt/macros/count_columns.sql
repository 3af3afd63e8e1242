{#- What is counted of every entity, in the order that the snapshot stores. -#}
{%- macro count_names() -%}
{{- return(['shown', 'chosen', 'delivered', 'clicked', 'converted', 'unsubscribed']) -}}
{%- endmacro -%}

{#- `sum(x)` of every count. Integers, so that no order of addition changes a bit. -#}
{%- macro summed_counts() -%}
{%- for name in count_names() %}
    cast(sum({{ name }}) as bigint) as {{ name }}{{ "," if not loop.last }}
{%- endfor -%}
{%- endmacro -%}

{#- The counts of an entity by hour of arrival. -#}
{%- macro entity_hours(entity) -%}
with counts as (
    select * from {{ ref('int_slate_item_counts') }}
    where
        {{ has_key(entity) }}
        and {{ is_arrival_to_rewrite(arrival_hours_to_rewrite()) }}
)

select
    {{- key_columns(entity) }},
    as_of_at,
    {{- summed_counts() }}
from counts
group by all
{%- endmacro -%}
