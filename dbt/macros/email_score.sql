{#- What the e-mail score is made of: a count, what it is a share of, what to believe before any evidence, and
    its weight; the weights' sizes add up to 1. A bounce is a share of what was sent, the rest of what arrived. -#}
{%- macro email_score_terms() -%}
{{- return([
    {'count': 'opened', 'of': 'delivered', 'prior': 0.2, 'weight': 0.15},
    {'count': 'clicked', 'of': 'delivered', 'prior': 0.015, 'weight': 0.4},
    {'count': 'converted', 'of': 'delivered', 'prior': 0.0005, 'weight': 0.25},
    {'count': 'unsubscribed', 'of': 'delivered', 'prior': 0.001, 'weight': -0.12},
    {'count': 'bounced', 'of': 'sent', 'prior': 0.01, 'weight': -0.08},
]) -}}
{%- endmacro -%}

{#- How many e-mails the prior is worth to an industry, the industry to a tenant, and the tenant to an item. -#}
{%- macro email_score_strength() -%}
{{- return(2000) -}}
{%- endmacro -%}

{#- How much the score swings: with 5, an e-mail that is twice as good in every term scores 97. -#}
{%- macro email_score_swing() -%}
{{- return(5) -}}
{%- endmacro -%}

{#- (count + belief * strength) / (of + strength) of `relation`. -#}
{%- macro pulled_rate(relation, term, belief) -%}
(coalesce({{ relation }}.{{ term['count'] }}, 0) + {{ belief }} * {{ email_score_strength() }})
        / (coalesce({{ relation }}.{{ term['of'] }}, 0) + {{ email_score_strength() }})
{%- endmacro -%}

{#- Outcomes in the order of the log; what is sent is delivered or bounces. -#}
{%- macro outcome_names() -%}
{{- return(['delivered', 'opened', 'clicked', 'converted', 'unsubscribed', 'bounced']) -}}
{%- endmacro -%}

{#- The outcomes as a CTE by the first of the few moments at which sums of them are looked up, in place of each
    hour of history; as they are where all of history is looked up. -#}
{%- macro told_by_then() -%}
{%- if is_partial() %}
moments as (
    select distinct norm_at as moment from sent_items
),

looks as (
    {{ first_moments('outcomes') }}
),

told_by_then as (
    select outcomes.* replace (looks.moment as as_of_at)
    from outcomes
    inner join looks on outcomes.as_of_at = looks.as_of_at
),
{% else %}
told_by_then as (
    select * from outcomes
),
{% endif -%}
{%- endmacro -%}

{%- macro summed_outcomes() -%}
{%- for name in outcome_names() %}
        sum({{ name }}) as {{ name }}{{ "," if not loop.last }}
{%- endfor -%}
{%- endmacro -%}

{%- macro running_outcomes(window_name) -%}
{%- for name in outcome_names() %}
        sum({{ name }}) over {{ window_name }} as {{ name }},
{%- endfor %}
        sum(delivered + bounced) over {{ window_name }} as sent
{%- endmacro -%}

{#- `norm_<count>` of every term: the tenant's rate, pulled towards the industry's. -#}
{%- macro email_score_norms(tenant, industry) -%}
{%- for term in email_score_terms() %}
        {{ pulled_rate(tenant, term, "(" ~ pulled_rate(industry, term, term['prior']) ~ ")") }}
        as norm_{{ term['count'] }}{{ "," if not loop.last }}
{%- endfor -%}
{%- endmacro -%}

{#- The sum over the terms of `weight * ln(rate / norm)`. -#}
{%- macro email_score_exponent(counts) -%}
{%- for term in email_score_terms() %}
        {{ term['weight'] }} * ln(
            {{ pulled_rate(counts, term, counts ~ ".norm_" ~ term['count']) }} / {{ counts }}.norm_{{ term['count'] }}
        ){{ " +" if not loop.last }}
{%- endfor -%}
{%- endmacro -%}

{#- The slate hours whose scores may change: those touched, those with another norm, and those that have a score
    and should have none yet, or the other way round: what arrived last says which are old enough. -#}
{%- macro score_hours_to_rewrite() -%}
{%- set turned -%}
select distinct hour from {{ this }}
where (email_score is null) = (shown_at <= (select max(as_of_at) - interval 48 hours from {{ ref('fct_outcomes') }}))
{%- endset -%}
{{- return(slate_hours_that_know(48, turned)) -}}
{%- endmacro -%}
