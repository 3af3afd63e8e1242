{#- The slates that may look different once the raw hours [range_start, range_end) changed: one row a copy.

    A reaction lies in the hour of its own occurrence, not in that of its slate; a second copy of a slate may lie
    in another hour; an item version describes slates that arrived after it. So touched are the
    slates that lie in the range, or share their id with one that does, or are reacted to in it, or show an item
    that is described in it. Every other row stays as it is, to the bit.

    `changed_at` is the arrival of what changed, or of the slate that is described: nothing that was known by the
    end of an earlier hour changes. -#}
{%- macro touched_slates_sql(range_start, range_end) -%}
with changed as (
    select recommender, tenant, slate_id, received_at from {{ ref('stg_letterpress__slates') }}
    where {{ is_in_hours(range_start, range_end, 'shown_at') }}
    union all
    select recommender, tenant, slate_id, received_at from {{ ref('stg_letterpress__interactions') }}
    where {{ is_in_hours(range_start, range_end) }}
    union all
    select recommender, tenant, slate_id, received_at from {{ ref('stg_letterpress__outcomes') }}
    where {{ is_in_hours(range_start, range_end) }}
),

changed_items as (
    select recommender, tenant, item_id, min(received_at) as received_at
    from {{ ref('stg_letterpress__items') }}
    where {{ is_in_hours(range_start, range_end) }}
    group by all
),

shown_items as (
    select recommender, tenant, slate_id, received_at, unnest(items).item_id as item_id
    from {{ ref('stg_letterpress__slates') }}
    where received_at >= (select min(received_at) from changed_items)
),

described as (
    select shown_items.recommender, shown_items.tenant, shown_items.slate_id, shown_items.received_at
    from shown_items
    inner join changed_items
        on
            shown_items.recommender = changed_items.recommender
            and shown_items.tenant = changed_items.tenant
            and shown_items.item_id = changed_items.item_id
            and shown_items.received_at >= changed_items.received_at
),

touched as (
    select recommender, tenant, slate_id, min(received_at) as changed_at
    from (select * from changed union all select * from described)
    group by all
)

select
    '{{ range_start }}' as range_start,
    '{{ range_end }}' as range_end,
    slates.recommender,
    slates.tenant,
    slates.slate_id,
    slates.hour,
    slates.received_at,
    touched.changed_at
from {{ ref('stg_letterpress__slates') }} as slates
inner join touched
    on
        slates.recommender = touched.recommender
        and slates.tenant = touched.tenant
        and slates.slate_id = touched.slate_id
{%- endmacro -%}

{#- The same of this run's range; none when all of history is written. -#}
{%- macro touched_slates_of_run() -%}
{%- if execute and changed_from() -%}
{{- touched_slates_sql(changed_from(), changed_until()) -}}
{%- else -%}
select
    '' as range_start,
    '' as range_end,
    recommender,
    tenant,
    slate_id,
    hour,
    received_at,
    received_at as changed_at
from {{ ref('stg_letterpress__slates') }}
limit 0
{%- endif -%}
{%- endmacro -%}

{#- Where the touched slates are found: in the table of this run. A model that is built by itself, after a run of
    another range, finds none there and asks raw again. -#}
{%- macro touched_slates() -%}
{%- set table = ref('int_slates_touched') -%}
{%- set is_ours = "range_start = '" ~ changed_from() ~ "' and range_end = '" ~ changed_until() ~ "'" -%}
{%- if run_query('select count(*) from ' ~ table ~ ' where ' ~ is_ours).columns[0].values()[0] -%}
{{- return(table) -}}
{%- endif -%}
{{- return('(' ~ touched_slates_sql(changed_from(), changed_until()) ~ ')') -}}
{%- endmacro -%}

{#- Whether a model writes only what the changed range touches; without a range all of history is written.
    Whoever asks may have to look at all of these: they are named here, because dbt must see it at parse. In a
    unit test there is no `this`, and so no rows to keep. -#}
{%- macro is_partial() -%}
{%- if not execute -%}
{%- for name in ['slates', 'items', 'interactions', 'outcomes'] -%}
{%- do ref('stg_letterpress__' ~ name) -%}
{%- endfor -%}
{%- do ref('int_slates_touched') -%}
{%- do ref('int_slate_item_reactions') -%}
{%- endif -%}
{{- return(execute and changed_from() != '' and this is not none and is_incremental()) -}}
{%- endmacro -%}

{#- The first column of a query, as a list. -#}
{%- macro ask_list(query) -%}
{{- return(run_query(query).columns[0].values() | list) -}}
{%- endmacro -%}

{#- The slate hours to rewrite as a list; none when all of history is to be written. -#}
{%- macro slate_hours_to_rewrite() -%}
{%- if is_partial() -%}
{{- return(ask_list('select distinct hour from ' ~ touched_slates() ~ ' order by hour')) -}}
{%- endif -%}
{{- return(none) -}}
{%- endmacro -%}

{#- Ends of the hours of arrival whose counts may change, as a list; none when all are to be written. What a slate
    counts for, now or before the change, lies at the arrival of one of its copies or of a reaction to it. -#}
{%- macro arrival_hours_to_rewrite() -%}
{%- if not is_partial() -%}
{{- return(none) -}}
{%- endif -%}
{%- set touched = touched_slates() -%}
{%- set since = ask_list('select min(hour) from ' ~ touched)[0] -%}
{%- if since is none -%}
{{- return([]) -}}
{%- endif -%}
{%- set query -%}
with touched as (
    select * from {{ touched }}
),

arrivals as (
    select received_at from touched
    union
    select reaction_received_at as received_at from {{ ref('int_slate_item_reactions') }}
    semi join touched using (recommender, tenant, slate_id)
    where {{ is_reaction_since(since) }}
)

select distinct strftime(date_trunc('hour', received_at) + interval 1 hour, '%Y-%m-%d %H:%M:%S+00') as as_of_at
from arrivals
order by as_of_at
{%- endset -%}
{{- return(ask_list(query)) -}}
{%- endmacro -%}

{#- A condition on the `as_of_at` of counts. -#}
{%- macro is_arrival_to_rewrite(moments) -%}
{%- if moments is none -%}true
{%- elif moments -%}as_of_at in (timestamptz '{{ moments | join("', timestamptz '") }}')
{%- else -%}false
{%- endif -%}
{%- endmacro -%}

{#- The hour of a slate of `fct_slate_items` before which things had to arrive to be known to it: that in which it
    was shown or that in which it arrived, whichever is earlier. A sender's clock may be ahead of ours. -#}
{%- macro known_hour(slate_items) -%}
least(date_trunc('hour', {{ slate_items }}.shown_at), {{ slate_items }}.shown_as_of_at - interval 1 hour)
{%- endmacro -%}

{#- The slate hours to rewrite of rows that also depend on what was known `hours_after` hours before: all from the
    first moment on at which something else was known; with -1 hours what arrives is known at once. `more` asks for
    further hours. -#}
{%- macro slate_hours_that_know(hours_after, more=none) -%}
{%- if not is_partial() -%}
{{- return(none) -}}
{%- endif -%}
{%- set touched = touched_slates() -%}
{%- set query -%}
with touched as (
    select * from {{ touched }}
),

changed as (
    select date_trunc('hour', min(changed_at)) + interval {{ hours_after + 1 }} hour as known_at from touched
)

select hour from touched
union
select distinct slate_items.hour from {{ ref('fct_slate_items') }} as slate_items, changed
where {{ known_hour('slate_items') }} >= changed.known_at
{%- if more %}
union
{{ more }}
{%- endif %}
order by hour
{%- endset -%}
{{- return(ask_list(query)) -}}
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
{%- macro is_reaction_since(since, at='reacted_at') -%}
(stored_as >= '{{ since }}' or stored_as = '{{ since[:10] }}')
    and {{ at }} >= {{ start_of_hour(since) }}
{%- endmacro -%}

{#- Pre-hooks, in the transaction of the insert that follows: readers see the old rows or the new ones. -#}
{%- macro delete_slate_hours_to_rewrite() -%}
{{- delete_slate_hours(slate_hours_to_rewrite()) -}}
{%- endmacro -%}

{%- macro delete_slate_hours(hours) -%}
{%- if is_incremental() -%}
delete from {{ this }}
where {{ is_slate_hour_to_rewrite(hours) }}
{%- if hours is not none %} or (hour >= '{{ changed_from() }}' and hour < '{{ changed_until() }}'){% endif %}
{%- endif -%}
{%- endmacro -%}

{%- macro delete_arrival_hours_to_rewrite() -%}
{%- if is_incremental() -%}
delete from {{ this }}
where {{ is_arrival_to_rewrite(arrival_hours_to_rewrite()) }}
{%- endif -%}
{%- endmacro -%}
