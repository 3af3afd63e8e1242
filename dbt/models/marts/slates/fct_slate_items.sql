{{
    config(
        materialized='incremental',
        incremental_strategy='append',
        on_schema_change='fail',
        pre_hook=["{{ plan_later_parts() }}", "{{ delete_slate_hours_to_rewrite() }}"],
        post_hook="{{ insert_later_parts() }}",
    )
}}
-- All of history is written in parts, each of whole slate hours, so that what is grouped for a part fits in
-- memory. What a range touches is one part.
{{ slate_items_of(slate_hours_to_rewrite() if is_partial() else slate_hour_parts()[0]) }}
