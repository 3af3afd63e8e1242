with counts as (
    select * from {{ ref('int_slate_item_counts') }}
    where enhancement is not null and industry is not null
)

select
    recommender,
    enhancement,
    industry,
    as_of_at,
    {{- summed_counts() }}
from counts
group by all
