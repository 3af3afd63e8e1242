from __future__ import annotations

import numpy as np
import pytest
from tests.unit.ranking.pet_slates import PETS, world

from letterpress.ranking.scorer import BoosterScorer
from letterpress.ranking.shap_shares import shap_shares
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
