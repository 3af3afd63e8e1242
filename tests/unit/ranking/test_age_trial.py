"""Weights that are good for what comes later are kept, and others are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench.resiliency import draw_paths, draw_slates
from numpy.typing import NDArray

from letterpress.datasets.training_set import TrainingSet
from letterpress.ranking.age_trial import try_weights
from letterpress.ranking.scorer import Scorer

DAYS = 60


class Ridge:
    """Scores by slopes that were fitted with the weights of rows."""

    def __init__(self, part: TrainingSet) -> None:
        inputs = part.features.astype(np.float64)
        weighted = inputs * part.row_weights[:, None]
        ridge = weighted.T @ inputs + np.eye(inputs.shape[1])
        self.slopes = np.linalg.solve(ridge, weighted.T @ (part.gains - part.gains.mean()))

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray(features @ self.slopes, np.float64)


def fit(part: TrainingSet) -> Scorer:
    return Ridge(part)


@pytest.fixture
def log() -> TrainingSet:
    rng = np.random.default_rng(8)
    return draw_slates(rng, draw_paths(rng, np.full(12, 8.0), DAYS))


def parts(log: TrainingSet) -> tuple[TrainingSet, TrainingSet]:
    days = np.arange(len(log)) // 40
    return log.take(days < DAYS - 2), log.take(days >= DAYS - 2)


def test_weights_that_order_later_slates_better_are_kept(log: TrainingSet) -> None:
    train, later = parts(log)
    trial = try_weights(train, later, fit, k=8, seed=1)
    assert trial.train.is_weighted
    assert trial.change is not None
    assert trial.change.low > 0.0
    assert trial.as_numbers([])["weights"] == "by age"


def test_weights_that_order_later_slates_worse_are_not_used_though_decay_is_demonstrated(
    log: TrainingSet,
) -> None:
    train, _ = parts(log)
    like_the_oldest = train.take(np.arange(len(train)) < 80)
    trial = try_weights(train, like_the_oldest, fit, k=8, seed=1)
    assert trial.age.weighs
    assert trial.train is train
    assert trial.change is not None
    assert trial.change.mean < 0.0
    assert trial.as_numbers([])["weights"] == "uniform"


def test_a_gain_that_may_be_chance_is_not_enough(log: TrainingSet) -> None:
    train, later = parts(log)
    mixed = TrainingSet.joined(
        [later.take(np.arange(len(later)) < 40), train.take(np.arange(len(train)) < 24)]
    )
    campaigns = np.arange(len(mixed), dtype=np.int32)
    trial = try_weights(train, replace(mixed, campaign_codes=campaigns), fit, k=8, seed=1)
    assert trial.change is not None
    assert trial.change.low < 0.0 < trial.change.mean
    assert trial.train is train


def test_nothing_is_tried_where_nothing_ages(log: TrainingSet) -> None:
    train, later = parts(log)
    still = replace(train, gains=train.gains[::-1].copy())
    fits: list[TrainingSet] = []

    def counting(part: TrainingSet) -> Scorer:
        fits.append(part)
        return Ridge(part)

    trial = try_weights(still, later, counting, k=8, seed=1)
    assert trial.train is still
    assert fits == []
    assert trial.change is None


def test_weights_that_nobody_can_judge_are_not_used(log: TrainingSet) -> None:
    train, later = parts(log)
    one_campaign = replace(later, campaign_codes=np.zeros(len(later), np.int32))
    trial = try_weights(train, one_campaign, fit, k=8, seed=1)
    assert trial.train is train
