-- Which copy of a slate stands is decided on a few narrow columns, so that a filter on `hour` still
-- prunes the files that hold the wide ones. Raw is named twice, because a common table is read whole.
with first_copies as (
    select
        recommender,
        tenant,
        hour,
        event_id
    from {{ ref('stg_letterpress__slates') }}
    qualify row_number() over (
        partition by recommender, tenant, slate_id
        order by received_at, shown_at, event_id
    ) = 1
)

select slates.*
from {{ ref('stg_letterpress__slates') }} as slates
semi join first_copies using (recommender, tenant, hour, event_id)
