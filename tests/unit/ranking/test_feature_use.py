from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xgboost

from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.feature_use import feature_shares
from letterpress.ranking.linear_head import LinearHead, Weights

NAMES = ("signal", "faint", "noise")
WHAT: dict[str, Any] = {"recommender": "pets", "schema_hash": "abc", "snapshot": "s1"}


def test_the_feature_that_decides_has_the_greatest_share_and_one_never_looked_at_has_none() -> None:
    features = np.random.default_rng(3).normal(size=(500, 3)).astype(np.float32)
    features[:, 2] = 1.0
    label = 3 * features[:, 0] + features[:, 1]
    matrix = xgboost.DMatrix(features, label=label)
    booster = xgboost.train({"max_depth": 3, "nthread": 1}, matrix, num_boost_round=10)
    bundle = ModelBundle.xgboost(bytes(booster.save_raw("ubj")), features=NAMES, **WHAT)

    shares = feature_shares(bundle)

    assert list(shares) == list(NAMES)
    assert shares["signal"] > shares["faint"] > shares["noise"] == 0
    assert sum(shares.values()) == pytest.approx(1)


def test_a_linear_model_rests_on_its_weights() -> None:
    weights = Weights(features=("signal", "faint"), weights=(-3.0, 1.0), means=(0.0, 0.0), log_rate=-4.0)
    head = LinearHead(whole=weights, counted=None, shape=20.0)

    shares = feature_shares(ModelBundle.linear(head, features=NAMES, **WHAT))

    assert shares == {"signal": 0.75, "faint": 0.25, "noise": 0.0}


def test_popularity_rests_on_the_one_feature_that_is_its_score() -> None:
    bundle = ModelBundle.popularity(features=NAMES, score_feature="faint", **WHAT)

    assert feature_shares(bundle) == {"signal": 0.0, "faint": 1.0, "noise": 0.0}
