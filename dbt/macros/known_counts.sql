{#- The counts of an entity that were known when a slate was shown, as CTEs: `<entity>` has a row for each key
    and moment of `slate_items`, with every count since birth and in every window. Sums from birth are looked up
    at the moment and at the start of each window; their difference is the window. A start is always a midnight,
    so that a window only grows within a day. -#}
{%- macro known_counts() -%}
{%- if is_partial() %}
moments as (
    select known_until as moment from slate_items
    {%- for days in window_days().values() %}
    union
    select {{ window_start('known_until', days) }} as moment from slate_items
    {%- endfor %}
),
{% endif -%}
{%- for entity in entity_keys() %}
{{ known_counts_of(entity) }}{{ "," if not loop.last }}
{% endfor -%}
{%- endmacro -%}

{%- macro known_counts_of(entity) %}
{{ entity }}_moments as (
    select distinct
        {{- key_columns(entity) }},
        known_until
    from slate_items
    where {{ has_key(entity) }}
),

{#- What became known of a key after its last look is never looked up. #}
{{ entity }}_last_looks as (
    select
        {{- key_columns(entity) }},
        max(known_until) as known_until
    from {{ entity }}_moments
    group by all
),

{{ entity }}_hours as (
    select hours.*
    from {{ ref('ftr_' ~ entity ~ '_hours') }} as hours
    inner join {{ entity }}_last_looks as last_looks
        on
            {{- same_key(entity, 'hours', 'last_looks') }}
            and hours.as_of_at <= last_looks.known_until
),

{%- if is_partial() %}
{{ sums_until_moments(entity) }}
{% endif %}
{{ entity }}_totals as (
    select
        {{- key_columns(entity) }},
        as_of_at,
        min(as_of_at) over since_birth as first_as_of_at
        {%- for name in count_names() %},
        cast(sum({{ name }}) over since_birth as bigint) as {{ name }}
        {%- endfor %}
    from {{ entity ~ '_sums' if is_partial() else entity ~ '_hours' }}
    window since_birth as (partition by recommender, {{ entity_keys()[entity] | join(', ') }} order by as_of_at)
),

{{ entity }}_birth as (
    select
        {{- key_columns(entity, 'moments') }},
        moments.known_until,
        totals.first_as_of_at
        {%- for name in count_names() %},
        totals.{{ name }}
        {%- endfor %}
    from {{ entity }}_moments as moments
    asof inner join {{ entity }}_totals as totals
        on
            {{- same_key(entity, 'moments', 'totals') }}
            and moments.known_until >= totals.as_of_at
),
{% for window, days in window_days().items() %}
{#- Of the young, nothing was known when the window began: no look is needed. #}
{{ entity }}_before_{{ window }} as (
    select
        {{- key_columns(entity, 'old') }},
        old.known_until
        {%- for name in count_names() %},
        totals.{{ name }}
        {%- endfor %}
    from (
        select
            *,
            {{ window_start('known_until', days) }} as starts_at
        from {{ entity }}_birth
        where {{ window_start('known_until', days) }} >= first_as_of_at
    ) as old
    asof inner join {{ entity }}_totals as totals
        on
            {{- same_key(entity, 'old', 'totals') }}
            and old.starts_at >= totals.as_of_at
),
{% endfor %}
{{ entity }} as (
    select
        birth.*
        {%- for window in window_days() %}
        {%- for name in count_names() %},
        birth.{{ name }} - coalesce(before_{{ window }}.{{ name }}, 0) as {{ name }}_{{ window }}
        {%- endfor %}
        {%- endfor %}
    from {{ entity }}_birth as birth
    {%- for window in window_days() %}
    left join {{ entity }}_before_{{ window }} as before_{{ window }}
        on
            {{- same_key(entity, 'birth', 'before_' ~ window) }}
            and birth.known_until = before_{{ window }}.known_until
    {%- endfor %}
)
{%- endmacro -%}

{#- Counts by the first of the few `moments` at which they are looked up, in place of each hour of history: sums up
    to a moment are the same, and there is far less to add up and to look through. -#}
{%- macro sums_until_moments(entity) %}
{{ entity }}_looks as (
    {{ first_moments(entity ~ '_hours') }}
),

{{ entity }}_sums as (
    select
        {{- key_columns(entity, 'hours') }},
        looks.moment as as_of_at,
        {{- summed_counts() }}
    from {{ entity }}_hours as hours
    inner join {{ entity }}_looks as looks on hours.as_of_at = looks.as_of_at
    group by all
),
{%- endmacro -%}

{#- The first of `moments` at which what arrived by each `as_of_at` of a relation is looked up; none for what
    arrived after all of them. -#}
{%- macro first_moments(relation) -%}
select
        hours.as_of_at,
        moments.moment
    from (select distinct as_of_at from {{ relation }}) as hours
    asof inner join moments on hours.as_of_at <= moments.moment
{%- endmacro -%}

{#- What arrived until then is outside a window of `days` whole days and today so far, as known at `moment`:
    the hour that ended at midnight still belongs to the day before. -#}
{%- macro window_start(moment, days) -%}
date_trunc('day', {{ moment }} - interval 1 hour) - interval {{ days }} day
{%- endmacro -%}

{#- `<entity>_<count>` since birth and `<entity>_<count>_<window>` of all entities, 0 where nothing was known. -#}
{%- macro counts_or_zero() -%}
{%- set columns = [] -%}
{%- for entity in entity_keys() -%}
{%- for suffix in [''] + window_suffixes() -%}
{%- for name in count_names() -%}
{%- do columns.append('coalesce(' ~ entity ~ '.' ~ name ~ suffix ~ ', 0) as ' ~ entity ~ '_' ~ name ~ suffix) -%}
{%- endfor -%}
{%- endfor -%}
{%- endfor %}
    {{ columns | join(',\n    ') }}
{%- endmacro -%}

{%- macro join_known_counts(relation) -%}
{%- for entity in entity_keys() %}
left join {{ entity }}
    on
        {{- same_key(entity, relation, entity) }}
        and {{ relation }}.known_until = {{ entity }}.known_until
{%- endfor %}
{%- endmacro -%}

{%- macro window_suffixes() -%}
{%- set suffixes = [] -%}
{%- for window in window_days() -%}
{%- do suffixes.append('_' ~ window) -%}
{%- endfor -%}
{{- return(suffixes) -}}
{%- endmacro -%}

{#- The slate hours whose examples may change: those touched, those from which on other counts were known (a session's
    are known at once), and those of which more or fewer have a score than before. -#}
{%- macro example_hours_to_rewrite() -%}
{%- set scored_anew -%}
select hour
from (
    select hour, count(email_score) as n from {{ this }}
    group by all
    union all
    select hour, -count(email_score) as n from {{ ref('fct_email_scores') }}
    group by all
)
group by hour
having sum(n) != 0
{%- endset -%}
{{- return(slate_hours_that_know(-1, scored_anew)) -}}
{%- endmacro -%}
