{#- How far back the pace of a session looks, and how long after its slate a reaction counts: `SESSION_SPAN`. -#}
{%- macro session_minutes() -%}
{{- return(30) -}}
{%- endmacro -%}

{#- `moment` so far back. -#}
{%- macro session_start(moment) -%}
{{ moment }} - interval {{ session_minutes() }} minute
{%- endmacro -%}

{#- The slate hours whose sessions may have another pace; none when all of history is to be written. It asks a mart
    that no query of the model names: dbt must see that at parse. -#}
{%- macro session_hours_to_rewrite() -%}
{%- if not execute -%}
{%- do ref('fct_slate_items') -%}
{%- endif -%}
{{- return(slate_hours_that_know(-1)) -}}
{%- endmacro -%}

{#- What some slate hours look back at, as {'since': the arrival of the first slate that counts for them,
    'hour': the first hour in which one of these was shown}; none when all of history is looked at. -#}
{%- macro session_past(hours) -%}
{%- if not hours -%}
{{- return(none) -}}
{%- endif -%}
{%- set query -%}
select strftime(min(least(shown_at, received_at)) - interval {{ 2 * session_minutes() }} minute, '%Y-%m-%d %H:%M:%S.%f+00')
from {{ ref('stg_letterpress__slates') }}
where {{ is_raw_slate_to_rewrite(hours) }}
{%- endset -%}
{%- set since = ask_list(query)[0] -%}
{%- if since is none -%}
{{- return(none) -}}
{%- endif -%}
{%- set query -%}
select min(hour) from {{ ref('stg_letterpress__slates') }}
where session_id is not null and received_at >= timestamptz '{{ since }}'
{%- endset -%}
{{- return({'since': since, 'hour': ask_list(query)[0] or hours[0]}) -}}
{%- endmacro -%}

{#- Whether a slate may count for those of `hours`. -#}
{%- macro arrived_in_session_past(hours, past) -%}
{%- if past -%}received_at >= timestamptz '{{ past['since'] }}'
{%- elif hours is none -%}true
{%- else -%}false
{%- endif -%}
{%- endmacro -%}

{#- Whether something may have been done to these slates. -#}
{%- macro happened_in_session_past(past) -%}
{%- if past -%}{{ is_reaction_since(past['hour'], 'occurred_at') }}
{%- else -%}true
{%- endif -%}
{%- endmacro -%}

{#- Columns of the running sums of a session up to a moment, less those up to the start of its span. -#}
{%- macro session_counts(until, before) -%}
{%- for name in ['requests', 'choices', 'edits'] %}
    coalesce({{ until }}.{{ name }}, 0) - coalesce({{ before }}.{{ name }}, 0) as session_{{ name }},
{%- endfor -%}
{%- endmacro -%}
