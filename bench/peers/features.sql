-- Peer: the marts in one go, as written by hand for DuckDB. No increments, no contracts, no dbt; what is needed twice
-- is kept in a temporary table. $RAW is the folder of the raw log. Counts come in `features_counts.sql`.
create temp view raw_slates as
select *, strftime(occurred_at, '%Y-%m-%dT%H') as shown_hour
from read_parquet('$RAW/recommender=*/hour=*/slate.parquet', hive_partitioning = true, hive_types_autocast = false);

create temp view raw_items as
from read_parquet('$RAW/recommender=*/hour=*/item.parquet', hive_partitioning = true, hive_types_autocast = false);

create temp view raw_interactions as
select *, strftime(occurred_at, '%Y-%m-%dT%H') as reaction_hour
from read_parquet(
    '$RAW/recommender=*/hour=*/interaction.parquet', hive_partitioning = true, hive_types_autocast = false
);

create temp view raw_outcomes as
select *, strftime(occurred_at, '%Y-%m-%dT%H') as reaction_hour
from read_parquet('$RAW/recommender=*/hour=*/outcome.parquet', hive_partitioning = true, hive_types_autocast = false);

create temp table slates as
select * exclude (nth)
from (
    select
        *,
        row_number() over (
            partition by recommender, tenant, slate_id order by received_at, occurred_at, event_id
        ) as nth
    from (select recommender, tenant, slate_id, received_at, occurred_at, event_id, shown_hour from raw_slates)
)
inner join (
    select
        recommender, tenant, event_id, shown_hour, slot, policy, model, snapshot, session_id, schema_hash, campaign,
        experiment, items
    from raw_slates
) using (recommender, tenant, event_id, shown_hour)
where nth = 1;

create temp table item_versions as
with arrivals as (
    select
        recommender, tenant, item_id, received_at as known_at, kind as item_kind, source_id, attributes,
        labels as item_labels
    from raw_items
    qualify row_number() over (
        partition by recommender, tenant, item_id, received_at order by occurred_at desc, event_id desc
    ) = 1
),

changes as (
    select *, struct_pack(item_kind, source_id, attributes, item_labels) as description
    from arrivals
    qualify description is distinct from
        lag(description) over (partition by recommender, tenant, item_id order by known_at)
)

select
    * exclude (description),
    row_number() over (partition by recommender, tenant, item_id order by known_at) as version,
    lead(known_at) over (partition by recommender, tenant, item_id order by known_at) as replaced_at
from changes;

create table dim_items as
select recommender, tenant, item_id, item_kind, source_id, attributes, item_labels, known_at
from item_versions
where replaced_at is null;

-- An item that a slate names twice counts once, at its first place.
create temp table shown as
with places as (
    select
        * exclude (items),
        list_transform(items, lambda each: each.item_id) as item_ids,
        unnest(items) as place,
        generate_subscripts(items, 1) as nth
    from slates
),

placed as (
    select
        * exclude (item_ids, nth),
        place.item_id as item_id,
        least(occurred_at, received_at) as known_until
    from places
    where list_position(item_ids, place.item_id) = nth
)

select
    placed.*,
    versions.item_kind,
    versions.source_id,
    versions.attributes,
    versions.item_labels
from placed
left join item_versions as versions
    on
        placed.recommender = versions.recommender
        and placed.tenant = versions.tenant
        and placed.item_id = versions.item_id
        and (
            (
                versions.known_at <= placed.known_until
                and (versions.replaced_at is null or versions.replaced_at > placed.known_until)
            )
            or (
                versions.version = 1
                and versions.known_at > placed.known_until
                and versions.known_at <= placed.received_at
            )
        );

create table fct_slate_items as
with reactions as (
    select recommender, tenant, slate_id, item_id, reaction_hour, received_at, action as kind, 1::bigint as amount
    from raw_interactions
    union all
    select recommender, tenant, slate_id, item_id, reaction_hour, received_at, kind, count as amount
    from raw_outcomes
),

by_hour as (
    select
        reactions.recommender,
        reactions.tenant,
        reactions.slate_id,
        reactions.item_id,
        date_trunc('hour', greatest(shown.received_at, reactions.received_at)) + interval 1 hour as as_of_at,
        bool_or(reactions.kind = 'chosen') as is_chosen,
        coalesce(sum(amount) filter (where reactions.kind = 'delivered'), 0)::bigint as delivered,
        coalesce(sum(amount) filter (where reactions.kind = 'opened'), 0)::bigint as opened,
        coalesce(sum(amount) filter (where reactions.kind = 'clicked'), 0)::bigint as clicked,
        coalesce(sum(amount) filter (where reactions.kind = 'converted'), 0)::bigint as converted,
        coalesce(sum(amount) filter (where reactions.kind = 'unsubscribed'), 0)::bigint as unsubscribed,
        coalesce(sum(amount) filter (where reactions.kind = 'bounced'), 0)::bigint as bounced
    from reactions
    inner join shown
        on
            reactions.recommender = shown.recommender
            and reactions.tenant = shown.tenant
            and reactions.slate_id = shown.slate_id
            and reactions.item_id = shown.item_id
            and reactions.reaction_hour >= shown.shown_hour
    group by all
),

totals as (
    select
        recommender,
        tenant,
        slate_id,
        item_id,
        min(as_of_at) filter (where is_chosen) as chosen_as_of_at,
        sum(delivered)::bigint as delivered,
        sum(opened)::bigint as opened,
        sum(clicked)::bigint as clicked,
        sum(converted)::bigint as converted,
        sum(unsubscribed)::bigint as unsubscribed,
        sum(bounced)::bigint as bounced,
        list(
            struct_pack(as_of_at, delivered, opened, clicked, converted, unsubscribed, bounced) order by as_of_at
        ) filter (
            where delivered + opened + clicked + converted + unsubscribed + bounced > 0
        ) as outcome_hours
    from by_hour
    group by all
)

select
    shown.recommender,
    shown.tenant,
    shown.slate_id,
    shown.campaign.campaign_id as campaign_id,
    shown.slot,
    shown.item_id,
    shown.place.position::integer as position,
    shown.place.score as score,
    shown.place.propensity as propensity,
    shown.policy,
    shown.model,
    shown.snapshot,
    shown.occurred_at as shown_at,
    shown.shown_hour as hour,
    shown.campaign.industry as industry,
    shown.campaign.campaign_type as campaign_type,
    shown.campaign.goal as goal,
    shown.campaign.segment as segment,
    shown.campaign.mobile_share as mobile_share,
    shown.campaign.send_at as send_at,
    shown.campaign.labels as context_labels,
    shown.item_kind,
    shown.source_id,
    shown.attributes,
    shown.item_labels,
    shown.item_labels['enhancement'] as enhancement,
    shown.schema_hash as logged_schema_hash,
    shown.place.features as logged_features,
    date_trunc('hour', shown.received_at) + interval 1 hour as shown_as_of_at,
    totals.chosen_as_of_at,
    totals.outcome_hours,
    (totals.chosen_as_of_at is not null)::integer as chosen,
    coalesce(totals.delivered, 0) as delivered,
    coalesce(totals.opened, 0) as opened,
    coalesce(totals.clicked, 0) as clicked,
    coalesce(totals.converted, 0) as converted,
    coalesce(totals.unsubscribed, 0) as unsubscribed,
    coalesce(totals.bounced, 0) as bounced
from shown
left join totals using (recommender, tenant, slate_id, item_id);

drop table shown;

create table dim_campaigns as
with told as (
    select recommender, tenant, campaign, occurred_at, received_at, event_id, 1 as slates from raw_slates
    union all
    select recommender, tenant, campaign, occurred_at, received_at, event_id, 0 as slates
    from read_parquet(
        '$RAW/recommender=*/hour=*/campaign.parquet', hive_partitioning = true, hive_types_autocast = false
    )
)

select
    recommender,
    tenant,
    campaign.campaign_id as campaign_id,
    newest.industry as industry,
    newest.campaign_type as campaign_type,
    newest.goal as goal,
    newest.segment as segment,
    newest.mobile_share as mobile_share,
    newest.send_at as send_at,
    newest.labels as context_labels,
    first_known_at,
    known_at,
    slates
from (
    select
        recommender,
        tenant,
        any_value(campaign) as campaign,
        arg_max(campaign, struct_pack(received_at, occurred_at, event_id)) as newest,
        min(received_at) as first_known_at,
        max(received_at) as known_at,
        sum(slates)::bigint as slates
    from told
    group by recommender, tenant, campaign.campaign_id
);

create table dim_tenants as
with industries as (
    select tenant, industry
    from dim_campaigns
    where industry is not null
    group by tenant, industry
    qualify row_number() over (partition by tenant order by count(*) desc, industry) = 1
),

sent as (
    select
        tenant,
        max(shown_at) as last_shown_at,
        sum(delivered)::bigint as delivered,
        sum(opened)::bigint as opened,
        sum(clicked)::bigint as clicked,
        sum(converted)::bigint as converted,
        sum(unsubscribed)::bigint as unsubscribed,
        sum(bounced)::bigint as bounced
    from fct_slate_items
    group by all
),

asked as (
    select tenant, count(*) as slates from slates where len(items) > 0 group by all
),

built as (
    select tenant, min(first_known_at) as first_known_at, count(*) as campaigns from dim_campaigns group by all
)

select
    built.tenant,
    industries.industry as main_industry,
    built.first_known_at,
    sent.last_shown_at,
    built.campaigns,
    coalesce(asked.slates, 0) as slates,
    coalesce(sent.delivered, 0) as delivered,
    coalesce(sent.opened, 0) as opened,
    coalesce(sent.clicked, 0) as clicked,
    coalesce(sent.converted, 0) as converted,
    coalesce(sent.unsubscribed, 0) as unsubscribed,
    coalesce(sent.bounced, 0) as bounced
from built
left join industries using (tenant)
left join sent using (tenant)
left join asked using (tenant);

-- The pace of a session: what it did in the half hour before a slate, by arrival.
create table ftr_slate_sessions as
with asked as (
    select
        recommender, tenant, session_id, slate_id, shown_hour, received_at, least(occurred_at, received_at) as known_until
    from slates
    where session_id is not null
),

told as (
    select
        asked.recommender, asked.tenant, asked.session_id, asked.received_at, raw_interactions.action,
        min(raw_interactions.received_at) as told_at
    from asked
    inner join raw_interactions
        on
            asked.recommender = raw_interactions.recommender
            and asked.tenant = raw_interactions.tenant
            and asked.slate_id = raw_interactions.slate_id
            and asked.shown_hour <= raw_interactions.reaction_hour
    group by
        asked.recommender, asked.tenant, asked.session_id, asked.slate_id, asked.received_at,
        raw_interactions.item_id, raw_interactions.action
),

moves as (
    select recommender, tenant, session_id, received_at as known_at, 1 as requests, 0 as choices, 0 as edits
    from asked
    union all
    select
        recommender, tenant, session_id, greatest(received_at, told_at) as known_at, 0 as requests,
        (action = 'chosen')::integer as choices, 1 as edits
    from told
    where told_at >= received_at - interval 30 minute and received_at >= told_at - interval 30 minute
)

select
    asked.recommender,
    asked.tenant,
    asked.slate_id,
    asked.shown_hour as hour,
    asked.known_until as as_of_at,
    coalesce(sum(moves.requests), 0)::bigint as session_requests,
    coalesce(sum(moves.choices), 0)::bigint as session_choices,
    coalesce(sum(moves.edits), 0)::bigint as session_edits,
    coalesce(epoch_us(asked.known_until) - epoch_us(min(moves.known_at)), 0) as session_microseconds
from asked
left join moves
    on
        asked.recommender = moves.recommender
        and asked.tenant = moves.tenant
        and asked.session_id = moves.session_id
        and moves.known_at < asked.known_until
        and moves.known_at >= asked.known_until - interval 30 minute
group by asked.recommender, asked.tenant, asked.slate_id, asked.shown_hour, asked.known_until;

create temp macro pulled(n, whole, belief) as
((coalesce(n, 0) + belief * 2000) / (coalesce(whole, 0) + 2000));

create view fct_outcomes as
select
    recommender, tenant, slate_id, campaign_id, item_id, shown_at, shown_as_of_at, hour, industry, segment, send_at,
    unnest(outcome_hours, max_depth := 2)
from fct_slate_items;

create table fct_email_scores as
with tenant_hours as (
    select
        recommender, tenant, as_of_at,
        sum(delivered) as delivered, sum(opened) as opened, sum(clicked) as clicked, sum(converted) as converted,
        sum(unsubscribed) as unsubscribed, sum(bounced) as bounced
    from fct_outcomes
    group by all
),

tenants as (
    select
        recommender, tenant, as_of_at,
        sum(delivered) over until_then as delivered,
        sum(opened) over until_then as opened,
        sum(clicked) over until_then as clicked,
        sum(converted) over until_then as converted,
        sum(unsubscribed) over until_then as unsubscribed,
        sum(bounced) over until_then as bounced,
        sum(delivered + bounced) over until_then as sent
    from tenant_hours
    window until_then as (partition by recommender, tenant order by as_of_at)
),

industry_hours as (
    select
        recommender, industry, as_of_at,
        sum(delivered) as delivered, sum(opened) as opened, sum(clicked) as clicked, sum(converted) as converted,
        sum(unsubscribed) as unsubscribed, sum(bounced) as bounced
    from fct_outcomes
    where industry is not null
    group by all
),

industries as (
    select
        recommender, industry, as_of_at,
        sum(delivered) over until_then as delivered,
        sum(opened) over until_then as opened,
        sum(clicked) over until_then as clicked,
        sum(converted) over until_then as converted,
        sum(unsubscribed) over until_then as unsubscribed,
        sum(bounced) over until_then as bounced,
        sum(delivered + bounced) over until_then as sent
    from industry_hours
    window until_then as (partition by recommender, industry order by as_of_at)
),

sent_items as (
    select
        recommender, tenant, slate_id, campaign_id, item_id, industry, shown_at, hour, delivered, opened, clicked,
        converted, unsubscribed, bounced, delivered + bounced as sent,
        least(date_trunc('hour', shown_at), shown_as_of_at - interval 1 hour) - interval 48 hours as norm_at
    from fct_slate_items
    where delivered + bounced > 0
),

norms as (
    select
        sent_items.*,
        pulled(tenants.opened, tenants.delivered, pulled(industries.opened, industries.delivered, 0.2))
            as norm_opened,
        pulled(tenants.clicked, tenants.delivered, pulled(industries.clicked, industries.delivered, 0.015))
            as norm_clicked,
        pulled(tenants.converted, tenants.delivered, pulled(industries.converted, industries.delivered, 0.0005))
            as norm_converted,
        pulled(
            tenants.unsubscribed, tenants.delivered, pulled(industries.unsubscribed, industries.delivered, 0.001)
        ) as norm_unsubscribed,
        pulled(tenants.bounced, tenants.sent, pulled(industries.bounced, industries.sent, 0.01)) as norm_bounced
    from sent_items
    asof left join tenants
        on
            sent_items.recommender = tenants.recommender
            and sent_items.tenant = tenants.tenant
            and sent_items.norm_at >= tenants.as_of_at
    asof left join industries
        on
            sent_items.recommender = industries.recommender
            and sent_items.industry = industries.industry
            and sent_items.norm_at >= industries.as_of_at
)

select
    recommender, tenant, slate_id, campaign_id, item_id, shown_at, hour, sent,
    norm_opened, norm_clicked, norm_converted, norm_unsubscribed, norm_bounced,
    case
        when shown_at <= (select max(as_of_at) - interval 48 hours from fct_outcomes)
            then 100 / (1 + exp(-5 * (
                0.15 * ln(pulled(opened, delivered, norm_opened) / norm_opened)
                + 0.4 * ln(pulled(clicked, delivered, norm_clicked) / norm_clicked)
                + 0.25 * ln(pulled(converted, delivered, norm_converted) / norm_converted)
                + -0.12 * ln(pulled(unsubscribed, delivered, norm_unsubscribed) / norm_unsubscribed)
                + -0.08 * ln(pulled(bounced, sent, norm_bounced) / norm_bounced)
            )))
    end as email_score
from norms;

create table fct_experiments as
with tests as (
    select recommender, tenant, slate_id, experiment
    from slates
    where experiment.experiment_id is not null
),

named_arms as (
    select recommender, tenant, slate_id, item_id, min(arm) as arm
    from raw_outcomes
    where arm is not null
    group by all
),

arms as (
    select
        tests.recommender,
        tests.tenant,
        tests.experiment.experiment_id as experiment_id,
        coalesce(named_arms.arm, sent.item_id) as arm,
        min(tests.experiment.unit) as assignment_unit,
        min(tests.experiment.original_arm) as original_arm,
        min(sent.item_id) as item_id,
        min(sent.shown_at) as shown_at,
        sum(sent.delivered)::bigint as delivered,
        sum(sent.opened)::bigint as opened,
        sum(sent.clicked)::bigint as clicked,
        sum(sent.converted)::bigint as converted,
        sum(sent.unsubscribed)::bigint as unsubscribed,
        sum(sent.bounced)::bigint as bounced,
        sum(sent.delivered + sent.bounced)::bigint as sent
    from tests
    inner join fct_slate_items as sent using (recommender, tenant, slate_id)
    left join named_arms using (recommender, tenant, slate_id, item_id)
    where sent.delivered + sent.bounced > 0
    group by all
),

experiments as (
    select
        recommender,
        tenant,
        experiment_id,
        count(*)::integer as arms,
        count(*) * sum(sent::hugeint * sent) / sum(sent) - sum(sent) as statistic,
        max(delivered) filter (where arm = original_arm) as original_delivered,
        max(clicked) filter (where arm = original_arm) as original_clicked
    from arms
    group by all
),

compared as (
    select
        arms.*,
        experiments.* exclude (recommender, tenant, experiment_id),
        arms.arm != original_arm and clicked <= delivered and original_clicked <= original_delivered as is_compared,
        ((clicked + 0.5) / (delivered + 1)) / ((original_clicked + 0.5) / (original_delivered + 1)) as ratio,
        1.959964 * sqrt(
            1 / (clicked + 0.5) - 1 / (delivered + 1) + 1 / (original_clicked + 0.5) - 1 / (original_delivered + 1)
        ) as reach
    from arms
    inner join experiments using (recommender, tenant, experiment_id)
)

select
    recommender, tenant, experiment_id, arm, item_id, assignment_unit,
    coalesce(arm = original_arm, false) as is_original,
    arms, shown_at, sent, delivered, opened, clicked, converted, unsubscribed, bounced,
    case
        when arms > 1
            then (pow(greatest(statistic, 0) / (arms - 1), 1 / 3) - (1 - 2 / (9 * (arms - 1)))) / sqrt(2 / (9 * (arms - 1)))
    end as sample_ratio_z,
    case when is_compared then ratio - 1 end as lift,
    case when is_compared then ratio / exp(reach) - 1 end as lift_low,
    case when is_compared then ratio * exp(reach) - 1 end as lift_high
from compared;

-- What became known of a shown item, hour by hour of arrival.
create temp table told as
with items as (
    select *, date_part('hour', send_at) as send_hour
    from fct_slate_items
),

outcomes as (
    select recommender, tenant, item_id, segment, enhancement, industry, send_hour, unnest(outcome_hours) as counts
    from items
)

select
    recommender, tenant, item_id, segment, enhancement, industry, send_hour, shown_as_of_at as as_of_at,
    1 as shown, 0 as chosen, 0::bigint as delivered, 0::bigint as clicked, 0::bigint as converted,
    0::bigint as unsubscribed
from items
union all
select
    recommender, tenant, item_id, segment, enhancement, industry, send_hour, chosen_as_of_at, 0, 1, 0, 0, 0, 0
from items
where chosen_as_of_at is not null
union all
select
    recommender, tenant, item_id, segment, enhancement, industry, send_hour, counts.as_of_at, 0, 0,
    counts.delivered, counts.clicked, counts.converted, counts.unsubscribed
from outcomes;
