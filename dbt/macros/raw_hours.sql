{#- A raw file holds an hour ('2026-01-05T03') or, once compacted, a day ('2026-01-05'): that is what its folder
    says, and what is called `stored_as` here. Conditions on it have constants in them, so that DuckDB opens only
    the files it needs; those on the time let it skip parts of a day's file. -#}

{#- The hour of a raw event; that of an hour's file is known without a look at its rows. -#}
{%- macro occurred_hour() -%}
case when length(hour) = 13 then hour else strftime(occurred_at at time zone 'UTC', '%Y-%m-%dT%H') end
{%- endmacro -%}

{#- Whether the time `at` of an event lies in the hours [range_start, range_end). -#}
{%- macro is_in_hours(range_start, range_end, at='occurred_at') -%}
{%- set end = range_end[:10] if range_end[11:13] == '00' else range_end -%}
(stored_as >= '{{ range_start }}' or stored_as = '{{ range_start[:10] }}')
    and stored_as < '{{ end }}'
    and {{ at }} >= {{ start_of_hour(range_start) }}
    and {{ at }} < {{ start_of_hour(range_end) }}
{%- endmacro -%}

{#- '2026-01-05T03' as a point in time. -#}
{%- macro start_of_hour(hour) -%}
timestamptz '{{ hour[:10] }} {{ hour[11:13] }}:00:00+00'
{%- endmacro -%}
