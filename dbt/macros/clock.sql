{#- The time that the platform goes by, where its caller says it; else that of the machine. dbt asks for it when it
    compares the age of sources with what they may have. It comes from the environment, like the range. -#}
{%- macro duckdb__current_timestamp() -%}
{%- set now = env_var('CLOCK_NOW', '') -%}
{%- if now -%}timestamptz '{{ now }}'{%- else -%}now(){%- endif -%}
{%- endmacro -%}
