with counts as (
    select * from {{ ref('int_slate_item_counts') }}
)

select
    recommender,
    tenant,
    item_id,
    as_of_at,
    {{- summed_counts() }}
from counts
group by all
