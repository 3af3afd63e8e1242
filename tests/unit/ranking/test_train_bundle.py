from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from letterpress.datasets.temporal_split import Split
from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.train_bundle import train_bundle
from letterpress.recommenders import Gates, Recommender, Target

MakeSlates = Callable[..., TrainingSet]
PETS = Recommender(
    name="pets",
    description="Ranks pets.",
    item_kind="pet",
    slate_size=4,
    targets=(Target("chosen", "chosen", weight=1.0, window_hours=1),),
    feature_views=(),
    judge="ndcg",
    gates=Gates(min_training_slates=50, min_test_slates=20, min_relative_gain=0.01),
)


@pytest.fixture
def split(make_slates: MakeSlates) -> Split:
    return Split(
        train=make_slates(120, seed=1),
        valid=make_slates(60, seed=2, first_at=200),
        test=make_slates(30, seed=3, first_at=300),
    )


def train(split: Split) -> ModelBundle:
    return train_bundle(PETS, split, snapshot="s1", seed=7, threads=1)


def test_the_manifest_says_what_the_model_was_trained_on(split: Split) -> None:
    manifest = train(split).manifest
    assert (manifest.kind, manifest.snapshot, manifest.features) == ("xgboost", "s1", ("appeal", "noise"))
    assert manifest.training["seed"] == 7
    assert manifest.training["test"] == {
        "slates": 30,
        "rows": 120,
        "first": "1970-01-01T00:05:00+00:00",
        "last": "1970-01-01T00:05:29+00:00",
    }
    assert manifest.metrics["valid"] > 0.9


def test_equal_data_give_an_equal_bundle(split: Split) -> None:
    assert train(split).sha256 == train(split).sha256


def test_nothing_that_the_test_slates_hold_changes_the_model(split: Split) -> None:
    opposite = replace(
        split.test, features=-split.test.features, gains=np.ascontiguousarray(split.test.gains[::-1])
    )
    assert train(split._replace(test=opposite)).sha256 == train(split).sha256


def test_a_test_set_too_small_to_judge_on_is_refused_before_training(
    split: Split, make_slates: MakeSlates
) -> None:
    with pytest.raises(NotEnoughDataError, match="at least 20 slates to judge pets on, found 5"):
        train(split._replace(test=make_slates(5, seed=3)))
