with counts as (
    select * from {{ ref('int_slate_item_counts') }}
    where segment is not null
)

select
    recommender,
    tenant,
    item_id,
    segment,
    as_of_at,
    {{- summed_counts() }}
from counts
group by all
