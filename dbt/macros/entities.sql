{#- What counts are kept by: each entity and the columns that name it, in the order of its key. -#}
{%- macro entity_keys() -%}
{{- return({
    'item': ['tenant', 'item_id'],
    'item_segment': ['tenant', 'item_id', 'segment'],
    'enhancement_industry': ['enhancement', 'industry'],
    'enhancement': ['enhancement'],
    'tenant': ['tenant'],
    'send_hour': ['tenant', 'send_hour'],
}) -}}
{%- endmacro -%}

{#- Spans over which counts are summed, from the longest: since birth, and so many whole days and today so far. -#}
{%- macro window_days() -%}
{{- return({'28d': 28, '7d': 7, '1d': 1}) -}}
{%- endmacro -%}

{#- UTC hour of the day at which the e-mail is to be sent. -#}
{%- macro send_hour(send_at='send_at') -%}
date_part('hour', {{ send_at }} at time zone 'UTC')
{%- endmacro -%}

{#- `<relation>.<column>`, one a line. -#}
{%- macro key_columns(entity, relation='') -%}
{%- for name in ['recommender'] + entity_keys()[entity] %}
        {{ relation ~ '.' if relation }}{{ name }}{{ "," if not loop.last }}
{%- endfor -%}
{%- endmacro -%}

{#- Equality of the keys of two relations. -#}
{%- macro same_key(entity, left, right) -%}
{%- for name in ['recommender'] + entity_keys()[entity] %}
            {{ left }}.{{ name }} = {{ right }}.{{ name }}{{ " and" if not loop.last }}
{%- endfor -%}
{%- endmacro -%}

{#- Whether every part of the key is known: what lacks one is not counted. -#}
{%- macro has_key(entity) -%}
{{ entity_keys()[entity] | join(' is not null and ') }} is not null
{%- endmacro -%}
