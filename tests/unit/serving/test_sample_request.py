"""The request that the README shows tells all that its recommender ranks by, as an editor should."""

from __future__ import annotations

import json
from pathlib import Path

from letterpress.recommenders import get_recommender

SAMPLE = Path(__file__).parents[3] / "bentos" / "ranking" / "sample_request.json"


def test_the_sample_request_leaves_nothing_out_that_features_are_made_of() -> None:
    sample = json.loads(SAMPLE.read_text())
    recommender = get_recommender(sample["recommender"])

    assert sample["session_id"] or not recommender.reads_sessions
    assert {label for label, _ in recommender.vocabularies} | {"mobile_share"} <= sample["campaign"].keys()
    for item in sample["items"]:
        assert item["attributes"].keys() == set(recommender.attributes)
        for label, known in recommender.item_vocabularies:
            assert item["labels"][label] in known
