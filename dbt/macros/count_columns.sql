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

{#- The same, from the birth of the entity up to and including this row's hour. -#}
{%- macro running_counts(window_name) -%}
{%- for name in count_names() %}
        cast(sum({{ name }}) over {{ window_name }} as bigint) as {{ name }}{{ "," if not loop.last }}
{%- endfor -%}
{%- endmacro -%}

{#- The counts of a relation as they are. -#}
{%- macro known_counts(relation) -%}
{%- for name in count_names() %}
        {{ relation }}.{{ name }}{{ "," if not loop.last }}
{%- endfor -%}
{%- endmacro -%}

{#- `<entity>_<count>` of every count, 0 where nothing was known. -#}
{%- macro counts_or_zero(entity) -%}
{%- for name in count_names() %}
    coalesce({{ entity }}.{{ name }}, 0) as {{ entity }}_{{ name }}{{ "," if not loop.last }}
{%- endfor -%}
{%- endmacro -%}
