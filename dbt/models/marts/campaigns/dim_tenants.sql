with campaigns as (
    select * from {{ ref('dim_campaigns') }}
),

slate_items as (
    select * from {{ ref('fct_slate_items') }}
),

industries as (
    select
        tenant,
        industry
    from campaigns
    where industry is not null
    group by
        tenant,
        industry
    qualify row_number() over (partition by tenant order by count(*) desc, industry) = 1
),

built as (
    select
        tenant,
        min(first_known_at) as first_known_at,
        count(*) as campaigns
    from campaigns
    group by all
),

sent as (
    select
        tenant,
        max(shown_at) as last_shown_at,
        count(distinct struct_pack(recommender, slate_id)) as slates,
        cast(sum(delivered) as bigint) as delivered,
        cast(sum(opened) as bigint) as opened,
        cast(sum(clicked) as bigint) as clicked,
        cast(sum(converted) as bigint) as converted,
        cast(sum(unsubscribed) as bigint) as unsubscribed,
        cast(sum(bounced) as bigint) as bounced
    from slate_items
    group by all
)

select
    built.tenant,
    industries.industry as main_industry,
    built.first_known_at,
    sent.last_shown_at,
    built.campaigns,
    coalesce(sent.slates, 0) as slates,
    coalesce(sent.delivered, 0) as delivered,
    coalesce(sent.opened, 0) as opened,
    coalesce(sent.clicked, 0) as clicked,
    coalesce(sent.converted, 0) as converted,
    coalesce(sent.unsubscribed, 0) as unsubscribed,
    coalesce(sent.bounced, 0) as bounced
from built
left join industries on built.tenant = industries.tenant
left join sent on built.tenant = sent.tenant
