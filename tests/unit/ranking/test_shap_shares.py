from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.unit.ranking.pet_slates import PETS, world

from letterpress.datasets.training_set import TrainingSet
from letterpress.ranking.linear_head import LinearHead, LinearScorer, Weights
from letterpress.ranking.scorer import BoosterScorer
from letterpress.ranking.shap_shares import linear_shap_shares, shap_shares
from letterpress.ranking.train_ranker import TrainedRanker, train_ranker


@pytest.fixture(scope="module")
def trained() -> TrainedRanker:
    return train_ranker(world(300, 1), world(150, 2), PETS, seed=7, threads=1)


def test_what_moves_scores_comes_first_and_the_shares_are_all_there_is(trained: TrainedRanker) -> None:
    shares = shap_shares(trained.booster, world(200, 3), seed=7, threads=1)
    assert set(list(shares)[:2]) == {"a", "b"}
    assert sum(shares.values()) == pytest.approx(1.0, abs=1e-5)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)


def test_a_share_tells_how_far_scores_fall_when_the_feature_says_nothing(trained: TrainedRanker) -> None:
    part = world(300, 4)
    shares = shap_shares(trained.booster, part, seed=7, threads=1)
    before = BoosterScorer(trained.booster).score(part.features)
    moved = {}
    for column, name in enumerate(part.feature_names):
        mute = part.features.copy()
        mute[:, column] = np.random.default_rng(1).permutation(mute[:, column])
        moved[name] = float(np.abs(BoosterScorer(trained.booster).score(mute) - before).mean())
    assert sorted(moved, key=lambda each: -moved[each])[:2] == list(shares)[:2]


def test_a_sample_is_the_same_for_the_same_seed(trained: TrainedRanker) -> None:
    part = world(500, 3)
    first, again, other = (shap_shares(trained.booster, part, seed=seed, threads=1) for seed in (7, 7, 8))
    assert first == again != other


def without_missing(part: TrainingSet) -> TrainingSet:
    return replace(part, features=np.nan_to_num(part.features))


def test_a_linear_head_is_told_by_how_far_its_log_rate_falls_without_each_feature() -> None:
    part = without_missing(world(200, 5))
    means = part.features.mean(axis=0, dtype=np.float64)
    weights = Weights(
        part.feature_names, tuple(np.linspace(-1, 2, len(means)).tolist()), tuple(means.tolist()), -4.0
    )
    scorer = LinearScorer(LinearHead(weights, None, 10.0), part.feature_names)
    before, moved = scorer.score(part.features), {}
    for column, name in enumerate(part.feature_names):
        mute = part.features.copy()
        mute[:, column] = means[column]
        moved[name] = float(np.abs(scorer.score(mute) - before).mean())
    found = linear_shap_shares(weights, part, seed=7)
    expected = {name: each / sum(moved.values()) for name, each in moved.items() if each}
    assert found == pytest.approx(expected, rel=1e-3)
    assert list(found.values()) == sorted(found.values(), reverse=True)


def test_directions_of_a_sentence_are_one_entry_and_rows_without_them_are_left_out() -> None:
    part = without_missing(world(50, 6))
    names = ("text_words", "sentence_000", "sentence_001", *part.feature_names[3:])
    features = part.features.copy()
    features[:, 1:3] = [[3.0, -3.0]]
    features[0, 1] = np.nan
    part = replace(part, feature_names=names, features=features)
    weights = Weights(names[:3], (1.0, 2.0, 1.0), (float(features[0, 0]) - 1.0, 0.0, 0.0), -4.0)
    shares = linear_shap_shares(weights, part, seed=7)
    assert set(shares) == {"text_words", "sentence"}
    away = np.abs(features[1:, 0] - features[0, 0] + 1.0).mean()
    assert shares["sentence"] == pytest.approx(3.0 / (3.0 + away), rel=1e-3)
