{#- The sums of `columns` over all rows are those of `other`. -#}
{% test adds_up_to(model, other, columns) %}
with here as (
    select {% for name in columns %}coalesce(sum({{ name }}), 0) as {{ name }}{{ ", " if not loop.last }}{% endfor %}
    from {{ model }}
),

there as (
    select {% for name in columns %}coalesce(sum({{ name }}), 0) as {{ name }}{{ ", " if not loop.last }}{% endfor %}
    from {{ other }}
)

select * from here
except
select * from there
{% endtest %}
