from __future__ import annotations

import pytest

from letterpress.events.types import CampaignContext
from letterpress.features import columns, entity_keys
from letterpress.lake import snapshot_layout
from letterpress.recommenders import RECOMMENDERS, Recommender

CAMPAIGN = CampaignContext(campaign_id="c", industry="food", segment="loyal")


def test_keys_are_those_of_the_snapshot() -> None:
    labels = [{"enhancement": "warm"}, {}]
    assert entity_keys("item", "t", CAMPAIGN, ["a", "b"], labels) == ["t\x1fa", "t\x1fb"]
    assert entity_keys("item_segment", "t", CAMPAIGN, ["a"], labels[:1]) == ["t\x1fa\x1floyal"]
    assert entity_keys("enhancement_industry", "t", CAMPAIGN, ["a", "b"], labels) == [
        "warm\x1ffood",
        "\x1f\x1ffood",
    ]


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
    assert columns.KEY_SEPARATOR == snapshot_layout.KEY_SEPARATOR


@pytest.mark.parametrize("recommender", RECOMMENDERS.values(), ids=lambda each: each.name)
def test_recommenders_count_by_entities_that_a_snapshot_holds(recommender: Recommender) -> None:
    assert set(recommender.evidence_entities) <= snapshot_layout.ENTITIES.keys()
