{#- The raw hours that changed, 'YYYY-MM-DDTHH', end exclusive; empty: all of history. They come from the
    environment, because dbt parses the whole project again whenever a variable changes. -#}
{%- macro changed_from() -%}
{{- return(env_var('RANGE_START', '')) -}}
{%- endmacro -%}

{%- macro changed_until() -%}
{{- return(env_var('RANGE_END', '')) -}}
{%- endmacro -%}
