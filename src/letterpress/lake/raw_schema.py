"""What a raw Parquet file of each event type holds, column by column."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from letterpress.events.types import EVENT_NAMES

INSTANT = pa.timestamp("us", tz="UTC")
LABELS = pa.map_(pa.string(), pa.string())
ATTRIBUTES = pa.map_(pa.string(), pa.float64())
FEATURES = pa.list_(pa.float64())

CAMPAIGN = pa.struct(
    [
        ("campaign_id", pa.string()),
        ("industry", pa.string()),
        ("campaign_type", pa.string()),
        ("goal", pa.string()),
        ("segment", pa.string()),
        ("mobile_share", pa.float64()),
        ("send_at", INSTANT),
        ("labels", LABELS),
    ]
)
SHOWN_ITEM = pa.struct(
    [
        ("item_id", pa.string()),
        ("position", pa.int32()),
        ("score", pa.float64()),
        ("propensity", pa.float64()),
        ("features", FEATURES),
    ]
)
ENVELOPE = [
    ("event_id", pa.string()),
    ("tenant", pa.string()),
    ("occurred_at", INSTANT),
    ("received_at", INSTANT),
    ("version", pa.int32()),
]
RAW_SCHEMAS: dict[str, pa.Schema] = {
    "item": pa.schema(
        [
            *ENVELOPE,
            ("item_id", pa.string()),
            ("kind", pa.string()),
            ("source_id", pa.string()),
            ("attributes", ATTRIBUTES),
            ("labels", LABELS),
        ]
    ),
    "campaign": pa.schema([*ENVELOPE, ("campaign", CAMPAIGN)]),
    "slate": pa.schema(
        [
            *ENVELOPE,
            ("slate_id", pa.string()),
            ("campaign", CAMPAIGN),
            ("slot", pa.string()),
            ("policy", pa.string()),
            ("items", pa.list_(SHOWN_ITEM)),
            ("model", pa.string()),
            ("snapshot", pa.string()),
            ("seed", pa.int64()),
            ("schema_hash", pa.string()),
        ]
    ),
    "interaction": pa.schema(
        [*ENVELOPE, ("slate_id", pa.string()), ("item_id", pa.string()), ("action", pa.string())]
    ),
    "outcome": pa.schema(
        [
            *ENVELOPE,
            ("slate_id", pa.string()),
            ("item_id", pa.string()),
            ("kind", pa.string()),
            ("count", pa.int64()),
        ]
    ),
}

ANCHOR_RECOMMENDER = "_"
ANCHOR_HOUR = "1970-01-01T00"


def partition_path(raw: Path, recommender: str, hour: str, event: str) -> Path:
    """Where the rows of one event type of one hour lie."""
    return raw / f"recommender={recommender}" / f"hour={hour}" / f"{event}.parquet"


def ensure_anchors(raw: Path) -> None:
    """An empty file of every event type, so that a glob over an empty lake finds columns, not an error."""
    for event in EVENT_NAMES:
        path = partition_path(raw, ANCHOR_RECOMMENDER, ANCHOR_HOUR, event)
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_name(path.name + ".tmp")
        pq.write_table(RAW_SCHEMAS[event].empty_table(), staged)
        staged.replace(path)
