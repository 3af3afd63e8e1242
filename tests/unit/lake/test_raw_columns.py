"""Typed events as Arrow tables and back."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from letterpress.events.codec import decode_line
from letterpress.events.packed_features import pack_features
from letterpress.events.types import EVENT_NAMES, Event, personal_fields
from letterpress.lake.raw_columns import events_to_table
from letterpress.lake.raw_schema import RAW_SCHEMAS, conform_table, ensure_anchors
from letterpress.lake.retention import PERSONAL

ARRIVED = datetime(2026, 1, 6, tzinfo=UTC)
ENVELOPE = {
    "event_id": "e1",
    "tenant": "fern",
    "recommender": "image_enhancement",
    "occurred_at": "2026-01-05T03:04:05.123456Z",
}
CAMPAIGN = {
    "campaign_id": "c1",
    "industry": "food",
    "mobile_share": 0.25,
    "send_at": "2026-01-05T12:00:00Z",
    "labels": {"b": "2", "a": "1"},
}
ITEMS = [
    {"item_id": "i1", "position": 1, "score": 0.5, "propensity": 0.25, "features": [1.0, None]},
    {"item_id": "i2", "position": 2},
]
EXTRA: dict[str, dict[str, Any]] = {
    "item": {"item_id": "i1", "kind": "product", "attributes": {"z": 1.5, "a": -2.0}, "labels": {"k": "v"}},
    "campaign": {"campaign": CAMPAIGN},
    "slate": {
        "slate_id": "s1",
        "campaign": CAMPAIGN,
        "slot": "hero",
        "policy": "greedy",
        "items": ITEMS,
        "seed": 3,
        "candidate_scores": [0.5, None, 0.25],
        "live_until": "2026-01-05T09:59:59.999999Z",
        "described": [{"item_id": "i1", "attributes": {"warmth": 0.25}, "labels": {"enhancement": "warm"}}],
    },
    "interaction": {"slate_id": "s1", "item_id": "i1", "action": "chosen"},
    "outcome": {"slate_id": "s1", "item_id": "i1", "kind": "clicked", "count": 7},
}


def make(name: str) -> Any:
    return decode_line(msgspec.json.encode({"type": name, **ENVELOPE, **EXTRA[name]}))


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_a_table_has_the_raw_schema_even_when_it_is_empty(name: str) -> None:
    assert events_to_table(name, [make(name)], ARRIVED).schema.equals(RAW_SCHEMAS[name])
    assert events_to_table(name, [], ARRIVED).schema.equals(RAW_SCHEMAS[name])


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_the_envelope_is_kept_to_the_microsecond(name: str) -> None:
    (row,) = events_to_table(name, [make(name)], ARRIVED).to_pylist()
    assert row["occurred_at"] == datetime(2026, 1, 5, 3, 4, 5, 123456, tzinfo=UTC)
    assert row["received_at"] == ARRIVED
    assert (row["event_id"], row["tenant"], row["version"]) == ("e1", "fern", 2)


def test_nested_parts_are_kept_and_maps_are_sorted() -> None:
    (row,) = events_to_table("slate", [make("slate")], ARRIVED).to_pylist()
    assert row["campaign"]["labels"] == [("a", "1"), ("b", "2")]
    assert row["campaign"]["send_at"] == datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert row["campaign"]["goal"] is None
    assert row["items"][0] == {**ITEMS[0]}
    assert row["items"][1] == {
        "item_id": "i2",
        "position": 2,
        "score": None,
        "propensity": None,
        "features": None,
    }
    (item,) = events_to_table("item", [make("item")], ARRIVED).to_pylist()
    assert item["attributes"] == [("a", -2.0), ("z", 1.5)]


def slate_of(items: list[dict[str, Any]]) -> Any:
    slate = {"type": "slate", **ENVELOPE, **EXTRA["slate"], "items": items}
    return decode_line(msgspec.json.encode(slate))


def place(position: int, **logged: Any) -> dict[str, Any]:
    return {"item_id": f"i{position}", "position": position, **logged}


def test_packed_features_become_the_same_columns_as_numbers() -> None:
    rows = np.random.default_rng(3).normal(size=(40, 7)).astype(np.float32)
    rows[::3, 2], rows[5, 4], rows[6, 0] = np.nan, np.inf, 0.0
    numbers = [[value if math.isfinite(value) else None for value in row] for row in rows.tolist()]
    packed = [place(at + 1, packed_features=each) for at, each in enumerate(pack_features(rows))]
    plain = [place(at + 1, features=each) for at, each in enumerate(numbers)]
    expected = events_to_table("slate", [slate_of(plain)], ARRIVED)
    assert events_to_table("slate", [slate_of(packed)], ARRIVED).equals(expected)
    mixed = [plain[0], *packed[1:39], plain[39]]
    assert events_to_table("slate", [slate_of(mixed)], ARRIVED).equals(expected)


def test_a_slate_without_features_has_none_beside_one_that_has() -> None:
    [packed] = pack_features(np.zeros((1, 2), np.float32))
    slates = [slate_of([place(1)]), slate_of([place(1, packed_features=packed)])]
    rows = events_to_table("slate", slates, ARRIVED).to_pylist()
    assert [row["items"][0]["features"] for row in rows] == [None, [0.0, 0.0]]


def test_an_event_of_its_own_arrival_keeps_it() -> None:
    event = make("outcome")
    event.received_at = datetime(2026, 1, 5, 4, tzinfo=UTC)
    (row,) = events_to_table("outcome", [event], ARRIVED).to_pylist()
    assert row["received_at"] == event.received_at


def test_every_field_of_every_event_type_has_a_column(golden: Path) -> None:
    for line in (golden / "native_log.jsonl").read_bytes().splitlines():
        event: Event = decode_line(line)
        name = str(event.__struct_config__.tag)
        columns = {"schema_hash" if each == "feature_schema" else each for each in event.__struct_fields__}
        assert columns - {"recommender"} == set(RAW_SCHEMAS[name].names)


def test_people_experiments_and_unknown_fields_have_columns() -> None:
    slate = {**EXTRA["slate"], "builder_id": "b1", "experiment": {"experiment_id": "x1", "theme": 1}}
    event = decode_line(msgspec.json.encode({"type": "slate", **ENVELOPE, **slate, "zoom": [2], "app": {}}))
    (row,) = events_to_table("slate", [event], ARRIVED).to_pylist()
    assert (row["builder_id"], row["session_id"]) == ("b1", None)
    assert row["experiment"] == {"experiment_id": "x1", "unit": "recipient", "original_arm": None}
    assert row["extra"] == '{"app":{},"experiment.theme":1,"zoom":[2]}'
    (row,) = events_to_table("slate", [make("slate")], ARRIVED).to_pylist()
    assert (row["extra"], row["experiment"]) == (None, None)


def test_rows_of_an_older_schema_get_the_columns_that_they_lack() -> None:
    rows = events_to_table("outcome", [make("outcome")], ARRIVED)
    older = rows.drop_columns(["extra", "recipient_id", "experiment_id", "arm"])
    assert conform_table("outcome", older).equals(rows)
    assert conform_table("outcome", rows) is rows


def test_an_anchor_of_an_older_schema_is_written_anew(tmp_path: Path) -> None:
    ensure_anchors(tmp_path)
    anchor = next(tmp_path.rglob("outcome.parquet"))
    pq.write_table(RAW_SCHEMAS["outcome"].empty_table().drop_columns(["extra"]), anchor)
    ensure_anchors(tmp_path)
    assert pq.read_schema(anchor).equals(RAW_SCHEMAS["outcome"])


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_every_personal_field_has_a_column_that_forgetting_and_retention_know(name: str) -> None:
    assert set(personal_fields(name)) <= set(RAW_SCHEMAS[name].names) & set(PERSONAL)
