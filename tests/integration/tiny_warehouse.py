"""A warehouse of a few hundred rows with every mart that the gates look at, made by the marts' own rules."""

from __future__ import annotations

from letterpress.events.session import SESSION_COUNTS
from letterpress.lake.snapshot_layout import COUNT_NAMES, ENTITIES, KNOWN_COUNTS
from letterpress.lake.warehouse import connect_warehouse
from letterpress.settings import Home

SLATES = 200
_SUMS = ", ".join(f"sum({name})::bigint as {name}" for name in COUNT_NAMES)
_KNOWN = (*KNOWN_COUNTS, *SESSION_COUNTS)
_TOTALS = ", ".join(f"{100 + place}::bigint as {name}" for place, name in enumerate(_KNOWN))
_HOURS = "".join(
    f"""
    create table ftr_{entity}_hours as
        select recommender, {", ".join(key)}, as_of_at, {_SUMS} from told group by all;
    """  # noqa: S608
    for entity, key in ENTITIES.items()
)

_MARTS = f"""
    create table fct_slate_items as
        select
            'image_enhancement' as recommender, 'tenant-' || slate % 3 as tenant,
            'slate-' || slate as slate_id,
            'campaign-' || slate % 20 as campaign_id, 'item-' || (slate + place) % 40 as item_id,
            place::integer as position, 'new' as segment, 'food' as industry, 'warm' as enhancement,
            'picture_variant' as item_kind,
            timestamptz '2026-01-05 00:00:00+00' + to_hours(slate::integer % 72) as shown_at,
            strftime(shown_at at time zone 'UTC', '%Y-%m-%dT%H') as hour,
            date_trunc('hour', shown_at) + interval 1 hour as shown_as_of_at,
            case when place = 1 then shown_as_of_at end as chosen_as_of_at,
            null::timestamptz as send_at,
            (place = 1)::integer as chosen, 1000::bigint as delivered, (10 + place)::bigint as clicked,
            1::bigint as converted, 0::bigint as unsubscribed, map {{'a': 'b'}} as context_labels
        from range({SLATES}) slates(slate), range(1, 5) places(place);
    create view told as
        select
            *, 1 as shown, 9 as send_hour, date_trunc('hour', shown_at) + interval 1 hour as as_of_at
        from fct_slate_items;
    {_HOURS}
    create table training_examples as
        select
            *, {_TOTALS}, 'hero' as slot, 0.25 as propensity, 'uniform' as policy,
            'promotion' as campaign_type, 'clicks' as goal, 0.5 as mobile_share,
            'picture' as source_id, map {{'brightness': 0.5}} as attributes,
            map {{'enhancement': 'warm'}} as item_labels, null::varchar as logged_schema_hash,
            null::double[] as logged_features
        from fct_slate_items;
    create table stg_letterpress__interactions as
        select
            recommender, tenant, slate_id || '-chosen' as event_id, slate_id, item_id,
            shown_at as occurred_at, shown_at as received_at, hour as stored_as, 'chosen' as action
        from fct_slate_items where chosen = 1;
    create table stg_letterpress__outcomes as
        select
            * exclude (action) replace (slate_id || '-clicked' as event_id), 'clicked' as kind,
            11::bigint as amount
        from stg_letterpress__interactions;
    create table dim_items as
        select distinct
            recommender, tenant, item_id, 'picture_variant' as item_kind, 'picture' as source_id,
            map {{'brightness': 0.5}} as attributes, map {{'enhancement': 'warm'}} as item_labels,
            timestamptz '2026-01-04 23:00:00+00' as known_at
        from fct_slate_items;
    create table fct_experiments as
        select
            recommender, tenant, slate_id as experiment_id, item_id as arm, item_id, 4 as arms, shown_at,
            ((position * 7 + row_number() over (order by slate_id, position)) % 20) / 10 - 1 as sample_ratio_z
        from fct_slate_items;
"""  # noqa: S608


def write_warehouse(home: Home, edit: str = "") -> None:
    """Write the warehouse, then change it by the statements `edit`."""
    with connect_warehouse(home, read_only=False, threads=1) as connection:
        connection.execute(_MARTS)
        connection.execute("drop view told")
        if edit:
            connection.execute(edit)
