-- Which copy of a slate stands is decided on a few narrow columns, so that a filter on `hour` still
-- prunes the files that hold the wide ones.
with slates as (
    select * from {{ ref('stg_letterpress__slates') }}
),

first_copies as (
    select
        recommender,
        tenant,
        hour,
        event_id
    from slates
    qualify row_number() over (
        partition by recommender, tenant, slate_id
        order by received_at, shown_at, event_id
    ) = 1
)

select slates.*
from slates
semi join first_copies using (recommender, tenant, hour, event_id)
