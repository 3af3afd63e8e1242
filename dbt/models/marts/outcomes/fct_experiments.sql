-- An arm is an item that was sent; what was only shown to the builder is none.
with slates as (
    select
        recommender,
        tenant,
        slate_id,
        experiment.experiment_id,
        experiment.unit as assignment_unit,
        experiment.original_arm
    from {{ ref('int_slates_deduplicated') }}
    where experiment.experiment_id is not null
),

slate_items as (
    select * from {{ ref('fct_slate_items') }}
),

named_arms as (
    select
        recommender,
        tenant,
        slate_id,
        item_id,
        min(arm) as arm
    from {{ ref('stg_letterpress__outcomes') }}
    where arm is not null
    group by all
),

arms as (
    select
        slates.recommender,
        slates.tenant,
        slates.experiment_id,
        coalesce(named_arms.arm, slate_items.item_id) as arm,
        min(slates.assignment_unit) as assignment_unit,
        min(slates.original_arm) as original_arm,
        min(slate_items.item_id) as item_id,
        min(slate_items.shown_at) as shown_at,
        {{- summed_outcomes_of('slate_items') }},
        cast(sum(slate_items.delivered + slate_items.bounced) as bigint) as sent
    from slates
    inner join slate_items
        on
            slates.recommender = slate_items.recommender
            and slates.tenant = slate_items.tenant
            and slates.slate_id = slate_items.slate_id
    left join named_arms
        on
            slate_items.recommender = named_arms.recommender
            and slate_items.tenant = named_arms.tenant
            and slate_items.slate_id = named_arms.slate_id
            and slate_items.item_id = named_arms.item_id
    where slate_items.delivered + slate_items.bounced > 0
    group by
        slates.recommender,
        slates.tenant,
        slates.experiment_id,
        coalesce(named_arms.arm, slate_items.item_id)
),

experiments as (
    select
        recommender,
        tenant,
        experiment_id,
        cast(count(*) as integer) as arms,
        cast(sum(sent) as bigint) as experiment_sent,
        {{ sample_ratio_statistic('sent') }} as sample_ratio_statistic,
        max(delivered) filter (where arm = original_arm) as original_delivered,
        max(clicked) filter (where arm = original_arm) as original_clicked
    from arms
    group by all
),

compared as (
    select
        arms.*,
        experiments.* exclude (recommender, tenant, experiment_id),
        coalesce(arms.arm = arms.original_arm, false) as is_original,
        -- More clicks than deliveries: not all of them have arrived yet.
        arms.arm != arms.original_arm
        and arms.clicked <= arms.delivered
        and experiments.original_clicked <= experiments.original_delivered as is_compared,
        {{ smoothed_rate('arms') }} as smoothed_rate,
        (experiments.original_clicked + 0.5) / (experiments.original_delivered + 1) as original_rate,
        1.959964 * sqrt(
            1 / (arms.clicked + 0.5) - 1 / (arms.delivered + 1)
            + 1 / (experiments.original_clicked + 0.5) - 1 / (experiments.original_delivered + 1)
        ) as log_reach
    from arms
    inner join experiments
        on
            arms.recommender = experiments.recommender
            and arms.tenant = experiments.tenant
            and arms.experiment_id = experiments.experiment_id
)

select
    recommender,
    tenant,
    experiment_id,
    arm,
    item_id,
    assignment_unit,
    is_original,
    arms,
    shown_at,
    sent,
    delivered,
    opened,
    clicked,
    converted,
    unsubscribed,
    bounced,
    {{ sample_ratio_z('sample_ratio_statistic', 'arms') }} as sample_ratio_z,
    case when is_compared then smoothed_rate / original_rate - 1 end as lift,
    case when is_compared then smoothed_rate / original_rate / exp(log_reach) - 1 end as lift_low,
    case when is_compared then smoothed_rate / original_rate * exp(log_reach) - 1 end as lift_high
from compared
