"""The assets that chain the DAGs; what a partition of each is called stands beside it."""

from airflow.sdk import Asset

RAW_EVENTS = Asset("raw_events")
"""Hours of raw that changed: `2026-01-05T03--2026-01-05T04`, UTC, end exclusive."""

FEATURE_SNAPSHOT = Asset("feature_snapshot")
"""A published snapshot: its id, 16 hexadecimal digits of its content's checksum."""

CANDIDATE_MODEL = Asset("candidate_model")
"""A registered model that has not been judged: `image_enhancement@3`."""
