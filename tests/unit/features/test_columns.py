from __future__ import annotations

import ast
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from letterpress.events.session import SESSION_SPAN
from letterpress.events.types import CampaignContext
from letterpress.features import SHARED_ENTITIES, columns, columns_for_request, entity_keys
from letterpress.lake import snapshot_layout
from letterpress.recommenders import RECOMMENDERS, Recommender

PROJECT = Path(__file__).parents[3]
CAMPAIGN = CampaignContext(campaign_id="c", industry="food", segment="loyal")


def test_keys_are_those_of_the_snapshot() -> None:
    labels = [{"enhancement": "warm"}, {}]
    assert entity_keys("item", "t", CAMPAIGN, ["a", "b"], labels) == ["t\x1fa", "t\x1fb"]
    assert entity_keys("item_segment", "t", CAMPAIGN, ["a"], labels[:1]) == ["t\x1fa\x1floyal"]
    assert entity_keys("enhancement_industry", "t", CAMPAIGN, ["a", "b"], labels) == [
        "warm\x1ffood",
        "\x1f\x1ffood",
    ]
    assert entity_keys("enhancement", "t", CAMPAIGN, ["a", "b"], labels) == ["warm", "\x1f"]
    assert entity_keys("tenant", "t", CAMPAIGN, ["a", "b"], labels) == ["t", "t"]


def test_the_hour_of_sending_is_that_of_utc() -> None:
    def key(send_at: str | None) -> str:
        sent = None if send_at is None else datetime.fromisoformat(send_at)
        campaign = CampaignContext(campaign_id="c", send_at=sent)
        return entity_keys("send_hour", "t", campaign, ["a"], [{}])[0]

    assert key("2026-01-06T01:30:00+03:00") == "t\x1f22"
    assert key("0001-01-01T00:00:00+14:00") == "t\x1f10"
    assert key(None) == "t\x1f\x1f"


@pytest.mark.parametrize("recommender", RECOMMENDERS.values(), ids=list(RECOMMENDERS))
def test_what_became_known_since_counts_in_every_window(recommender: Recommender) -> None:
    random = np.random.default_rng(5)
    n, n_counts = 3, len(columns.COUNT_NAMES)
    known, live, added = {}, {}, {}
    for entity in recommender.evidence_entities:
        n_keys = 1 if entity in SHARED_ENTITIES else n
        known[entity] = random.integers(0, 2**40, (n_keys, len(columns.WINDOWS) * n_counts))
        live[entity] = random.integers(0, 2**40, (n_keys, n_counts))
        added[entity] = known[entity] + np.tile(live[entity], len(columns.WINDOWS))

    def counts(of: dict[str, Any], since: dict[str, Any] | None = None) -> Any:
        attributes = np.zeros((n, len(recommender.attributes)))
        at = datetime.fromisoformat("2026-01-06T09:00:00Z")
        return columns_for_request(recommender, CAMPAIGN, attributes, [{}] * n, of, at, since).counts

    assert np.array_equal(counts(known, live), counts(added))
    assert not np.array_equal(counts(known, live), counts(known))


def test_a_missing_part_is_not_an_empty_one() -> None:
    nowhere, empty = CampaignContext(campaign_id="c"), CampaignContext(campaign_id="c", segment="")
    assert entity_keys("item_segment", "t", empty, ["a"], [{}]) == ["t\x1fa\x1f"]
    assert entity_keys("item_segment", "t", nowhere, ["a"], [{}]) != ["t\x1fa\x1f"]
    assert entity_keys("enhancement_industry", "t", nowhere, ["a"], [{"enhancement": ""}]) != ["\x1f"]


def test_an_unknown_entity_is_an_error() -> None:
    with pytest.raises(KeyError):
        entity_keys("slot", "t", CAMPAIGN, ["a"], [{}])


def test_features_and_snapshots_speak_of_the_same_counts() -> None:
    assert columns.COUNT_NAMES == snapshot_layout.COUNT_NAMES
    assert columns.ENTITY_KEYS == snapshot_layout.ENTITIES
    assert columns.WINDOWS == snapshot_layout.WINDOWS
    assert columns.KEY_SEPARATOR == snapshot_layout.KEY_SEPARATOR


@pytest.mark.parametrize(
    ("macro", "expected"),
    [
        ("entity_keys", {name: list(keys) for name, keys in snapshot_layout.ENTITIES.items()}),
        ("window_days", snapshot_layout.WINDOW_DAYS),
        ("count_names", list(snapshot_layout.COUNT_NAMES)),
        ("session_minutes", SESSION_SPAN // timedelta(minutes=1)),
    ],
)
def test_the_marts_count_what_snapshots_hold(macro: str, expected: object) -> None:
    text = "".join(path.read_text() for path in sorted((PROJECT / "dbt" / "macros").glob("*.sql")))
    found = re.search(rf"macro {macro}\(\).*?return\((.*?)\) -\}}\}}", text, re.DOTALL)
    assert found is not None
    assert ast.literal_eval(found[1]) == expected
    assert set(snapshot_layout.WINDOWS) == {"birth", *snapshot_layout.WINDOW_DAYS}


@pytest.mark.parametrize("recommender", RECOMMENDERS.values(), ids=lambda each: each.name)
def test_recommenders_count_by_entities_that_a_snapshot_holds(recommender: Recommender) -> None:
    assert set(recommender.evidence_entities) <= snapshot_layout.ENTITIES.keys()
