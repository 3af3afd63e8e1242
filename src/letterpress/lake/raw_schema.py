"""What a raw Parquet file of each event type holds, column by column.

Columns are only ever added, and keep their first name: files of older schemas stay readable beside new ones.
SQL that names a column which older files lack needs `union_by_name` (it reads every footer).
"""

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
EXPERIMENT = pa.struct([("experiment_id", pa.string()), ("unit", pa.string()), ("original_arm", pa.string())])
DESCRIBED_ITEM = pa.struct([("item_id", pa.string()), ("attributes", ATTRIBUTES), ("labels", LABELS)])
ENVELOPE = [
    ("event_id", pa.string()),
    ("tenant", pa.string()),
    ("occurred_at", INSTANT),
    ("received_at", INSTANT),
    ("version", pa.int32()),
    ("extra", pa.string()),
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
            ("person_id", pa.string()),
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
            ("builder_id", pa.string()),
            ("session_id", pa.string()),
            ("experiment", EXPERIMENT),
            ("described", pa.list_(DESCRIBED_ITEM)),
            ("candidate_scores", FEATURES),
            ("live_until", INSTANT),
        ]
    ),
    "interaction": pa.schema(
        [
            *ENVELOPE,
            ("slate_id", pa.string()),
            ("item_id", pa.string()),
            ("action", pa.string()),
            ("builder_id", pa.string()),
            ("session_id", pa.string()),
        ]
    ),
    "outcome": pa.schema(
        [
            *ENVELOPE,
            ("slate_id", pa.string()),
            ("item_id", pa.string()),
            ("kind", pa.string()),
            ("count", pa.int64()),
            ("recipient_id", pa.string()),
            ("experiment_id", pa.string()),
            ("arm", pa.string()),
        ]
    ),
}

ANCHOR_RECOMMENDER = "_"
ANCHOR_HOUR = "1970-01-01T00"


def partition_path(raw: Path, recommender: str, hour: str, event: str) -> Path:
    """Where the rows of one event type of one hour lie."""
    return raw / f"recommender={recommender}" / f"hour={hour}" / f"{event}.parquet"


def conform_table(event: str, rows: pa.Table) -> pa.Table:
    """`rows` of an older raw file with the columns of today; what it had no column for is null.

    Raises:
        pa.ArrowInvalid: a column has another type than it ever had.
    """
    schema = RAW_SCHEMAS[event]
    if rows.schema.equals(schema):
        return rows
    names = set(rows.schema.names)
    columns = [
        rows[field.name].cast(field.type) if field.name in names else pa.nulls(len(rows), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def ensure_anchors(raw: Path) -> None:
    """An empty file of every event type, so that a glob over an empty lake finds columns, not an error.

    One of an older schema is written anew, as it lends its columns to files that lack them, and so is one
    that is damaged: it holds nothing else.
    """
    for event in EVENT_NAMES:
        path = partition_path(raw, ANCHOR_RECOMMENDER, ANCHOR_HOUR, event)
        if path.exists() and _is_anchor(path, event):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        staged = path.with_name(path.name + ".tmp")
        pq.write_table(RAW_SCHEMAS[event].empty_table(), staged)
        staged.replace(path)


def _is_anchor(path: Path, event: str) -> bool:
    try:
        return bool(pq.read_schema(path).equals(RAW_SCHEMAS[event]))
    except (pa.ArrowException, OSError):
        return False
