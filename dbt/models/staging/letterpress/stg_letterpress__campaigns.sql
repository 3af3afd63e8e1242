select
    recommender,
    tenant,
    {{ occurred_hour() }} as hour,
    hour as stored_as,
    event_id,
    occurred_at,
    received_at,
    campaign.campaign_id,
    campaign.industry,
    campaign.campaign_type,
    campaign.goal,
    campaign.segment,
    campaign.mobile_share,
    campaign.send_at,
    campaign.labels as context_labels
from {{ source('letterpress', 'campaign') }}
