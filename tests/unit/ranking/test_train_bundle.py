from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from bench.resiliency import draw_paths, draw_slates
from tests.unit.ranking.pet_slates import PETS

from letterpress.datasets.temporal_split import Split
from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.train_bundle import train_bundle
from letterpress.ranking.train_ranker import FitPlan, train_ranker
from letterpress.recommenders.declaration import Objective

MakeSlates = Callable[..., TrainingSet]


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


@pytest.mark.parametrize("objective", ["listwise", "pointwise"])
def test_two_threads_give_the_bundle_of_one(make_slates: MakeSlates, objective: Objective) -> None:
    declared = replace(PETS, objective=objective)
    large = Split(
        train=make_slates(1500, seed=1),
        valid=make_slates(300, seed=2, first_at=2000),
        test=make_slates(30, seed=3, first_at=3000),
    )
    one, two = (
        train_bundle(declared, large, snapshot="s1", seed=7, threads=threads, plan=FitPlan(rounds=40)).sha256
        for threads in (1, 2)
    )
    assert one == two


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


def test_a_log_that_ages_is_weighed_in_training_and_the_manifest_says_how() -> None:
    rng = np.random.default_rng(6)
    log = draw_slates(rng, draw_paths(rng, np.full(12, 6.0), 50))
    days = np.arange(len(log)) // 40
    aged = Split(
        train=log.take(days < 44), valid=log.take((days >= 44) & (days < 47)), test=log.take(days >= 47)
    )
    quick = FitPlan(rounds=40)
    bundle = train_bundle(PETS, aged, snapshot="s1", seed=7, threads=1, plan=quick)
    told = bundle.manifest.training["resiliency"]
    assert told["half_life"]["is_demonstrated"]
    assert told["look_back_days"] == pytest.approx(told["half_life"]["days"] * np.log2(10), abs=0.1)
    assert set(told["features"]) == set(log.feature_names)
    assert told["weights"] == "by age"
    assert told["weights_change_ndcg"]["mean"] > 0
    scores = [each["score"] for each in told["partitions"]]
    assert len(scores) == 44
    assert scores == sorted(scores)
    assert scores[0] < 0.1
    assert sum(each["share"] for each in told["cohorts"]) == pytest.approx(1.0, abs=1e-4)
    uniform = train_ranker(aged.train, aged.valid, PETS, seed=7, threads=1, plan=quick)
    assert bundle.booster != uniform.booster


def test_what_is_too_short_to_age_is_trained_on_uniformly(split: Split) -> None:
    bundle = train(split)
    told = bundle.manifest.training["resiliency"]
    assert (told["half_life"], told["weights"]) == (None, "uniform")
    assert "expected at least 180 slates" in told["reason"]
    assert bundle.booster == train_ranker(split.train, split.valid, PETS, seed=7, threads=1).booster
