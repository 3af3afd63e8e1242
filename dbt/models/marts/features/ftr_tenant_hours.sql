{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook="{{ delete_arrival_hours_to_rewrite() }}",
    )
}}
-- depends_on: {{ ref('int_slate_item_counts') }}
{{ entity_hours('tenant') }}
