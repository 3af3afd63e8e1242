{#- No two rows share the values of `columns`. -#}
{% test unique_key(model, columns) %}
select
    {{ columns | join(', ') }},
    count(*) as copies
from {{ model }}
group by all
having count(*) > 1
{% endtest %}
