from __future__ import annotations

from typing import Any

import pytest

from letterpress.ranking.bundle import BundleManifest
from letterpress.ranking.feature_use import feature_shares

NAMES = ("signal", "faint", "noise")
WHAT: dict[str, Any] = {
    "recommender": "pets",
    "features": NAMES,
    "schema_hash": "abc",
    "snapshot": "s1",
}


def test_every_feature_has_the_share_that_training_gave_it_and_one_never_looked_at_has_none() -> None:
    importance = {"signal": 0.6, "faint": 0.2}
    manifest = BundleManifest(kind="xgboost", training={"importance": importance}, **WHAT)

    shares = feature_shares(manifest)

    assert shares == {"signal": pytest.approx(0.75), "faint": pytest.approx(0.25), "noise": 0.0}
    assert list(shares) == list(NAMES)


def test_popularity_rests_on_the_one_feature_that_is_its_score() -> None:
    manifest = BundleManifest(kind="popularity", score_feature="faint", **WHAT)

    assert feature_shares(manifest) == {"signal": 0.0, "faint": 1.0, "noise": 0.0}


def test_a_model_that_learned_nothing_rests_on_nothing() -> None:
    assert set(feature_shares(BundleManifest(kind="xgboost", **WHAT)).values()) == {0.0}
