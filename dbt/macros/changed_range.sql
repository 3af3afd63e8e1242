{#- The raw hours that changed, 'YYYY-MM-DDTHH', end exclusive; empty: all of history. They come from the
    environment, because dbt parses the whole project again whenever a variable changes. -#}
{%- macro changed_from() -%}
{{- return(env_var('RANGE_START', '')) -}}
{%- endmacro -%}

{%- macro changed_until() -%}
{{- return(env_var('RANGE_END', '')) -}}
{%- endmacro -%}

{#- Hours from the end of a complete hour until a snapshot that holds it is served; the same reason. -#}
{%- macro publication_lag_hours() -%}
{%- if execute -%}
{{- return(env_var('LETTERPRESS_FEATURES__PUBLICATION_LAG_HOURS', '0') | int) -}}
{%- endif -%}
{{- return(0) -}}
{%- endmacro -%}
