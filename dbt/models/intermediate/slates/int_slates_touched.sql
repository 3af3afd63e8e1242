{{ config(materialized='table') }}
-- depends_on: {{ ref('stg_letterpress__slates') }}
-- depends_on: {{ ref('stg_letterpress__items') }}
-- depends_on: {{ ref('stg_letterpress__interactions') }}
-- depends_on: {{ ref('stg_letterpress__outcomes') }}
{{ touched_slates_of_run() }}
