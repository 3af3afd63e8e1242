"""Whom a challenger is compared with after features changed: the champion itself, else nobody unasked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xgboost

from letterpress.errors import NotEnoughDataError
from letterpress.features import feature_names, schema_hash
from letterpress.orchestration.comparable_champion import comparable_champion
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.popularity import popularity_bundle
from letterpress.recommenders import Recommender, get_recommender

TODAY = get_recommender("image_enhancement")
BEFORE = replace(TODAY, feature_views=tuple(each for each in TODAY.feature_views if each != "session"))


def trees(declared: Recommender, schema: str | None = None) -> ModelBundle:
    """Trees on random features of `declared`."""
    names = feature_names(declared)
    features = np.random.default_rng(3).normal(size=(200, len(names))).astype(np.float32)
    matrix = xgboost.DMatrix(features, label=features[:, -1] > features[:, 0])
    booster = xgboost.train({"max_depth": 3, "nthread": 1}, matrix, num_boost_round=5)
    return ModelBundle.xgboost(
        bytes(booster.save_raw("ubj")),
        recommender=declared.name,
        features=names,
        schema_hash=schema or schema_hash(declared),
        snapshot="s1",
    )


def compare(standing: ModelBundle, declared: Recommender = TODAY) -> ModelBundle:
    return comparable_champion(
        declared, standing, popularity_bundle(declared, "s2"), name="image_enhancement/3"
    )


def test_a_champion_that_lacks_a_new_view_is_scored_on_the_features_that_it_knows() -> None:
    champion = trees(BEFORE)
    names = feature_names(TODAY)
    rows = np.random.default_rng(1).normal(size=(50, len(names))).astype(np.float32)
    own = rows[:, [names.index(name) for name in feature_names(BEFORE)]]
    found = compare(champion)
    assert found.manifest == champion.manifest
    assert found.scorer().score(rows).tolist() == champion.scorer().score(own).tolist()
    assert len(set(found.scorer().score(rows))) > 10


def test_a_champion_of_the_same_schema_is_compared_as_it_is() -> None:
    champion = trees(TODAY)
    assert compare(champion) is champion


@pytest.mark.parametrize("declared", [TODAY, BEFORE])
def test_a_champion_of_which_a_feature_changed_or_went_is_not_replaced_without_consent(
    declared: Recommender,
) -> None:
    champion = trees(TODAY, schema="abc" if declared is TODAY else None)
    with pytest.raises(NotEnoughDataError, match=r"found image_enhancement/3 .* `replaceable_schemas`"):
        compare(champion, declared)


def test_with_declared_consent_popularity_stands_in_for_a_champion_that_cannot_be_scored() -> None:
    consenting = replace(TODAY, gates=replace(TODAY.gates, replaceable_schemas=("abc",)))
    assert compare(trees(TODAY, schema="abc"), consenting) == popularity_bundle(TODAY, "s2")


def test_popularity_of_an_older_schema_is_still_popularity() -> None:
    assert compare(popularity_bundle(BEFORE, "s1")) == popularity_bundle(TODAY, "s2")
