{#- Pearson's statistic of equal shares: an aggregate over the arms of one experiment. Integers go in, so that
    no order of addition changes a bit: sum((n - m)^2 / m) with m = total / arms is arms * sum(n^2) / total - total. -#}
{%- macro sample_ratio_statistic(amount) -%}
count(*) * sum(cast({{ amount }} as hugeint) * {{ amount }}) / sum({{ amount }}) - sum({{ amount }})
{%- endmacro -%}

{#- How unlikely the statistic is when arms are drawn with equal chances, in standard deviations: Wilson and
    Hilferty's cube root of a chi-square, at most 0.05 below the exact quantile at 3.09, where one experiment in
    a thousand alarms by chance, and 0.3 below at 4.75. Null with a single arm. -#}
{%- macro sample_ratio_z(statistic, arms) -%}
case
        when {{ arms }} > 1
            then
                (
                    pow(greatest({{ statistic }}, 0) / ({{ arms }} - 1), 1 / 3)
                    - (1 - 2 / (9 * ({{ arms }} - 1)))
                ) / sqrt(2 / (9 * ({{ arms }} - 1)))
    end
{%- endmacro -%}

{#- Clicks of deliveries, half a click added, so that an arm without a click has a logarithm. -#}
{%- macro smoothed_rate(relation) -%}
({{ relation }}.clicked + 0.5) / ({{ relation }}.delivered + 1)
{%- endmacro -%}

{#- The counts of a relation, added up to integers. -#}
{%- macro summed_outcomes_of(relation) -%}
{%- for name in outcome_names() %}
        cast(sum({{ relation }}.{{ name }}) as bigint) as {{ name }}{{ "," if not loop.last }}
{%- endfor -%}
{%- endmacro -%}
