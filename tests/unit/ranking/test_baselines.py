from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from tests.unit.ranking.pet_slates import PETS, world

from letterpress.evaluation.ndcg import ndcg_per_group
from letterpress.ranking.baselines import RIDGE, RandomScorer, baseline_scorers, fit_logistic
from letterpress.ranking.scorer import Scorer


def ndcg(scorer: Scorer) -> float:
    fresh = world(400, 3)
    return float(ndcg_per_group(scorer.score(fresh.features), fresh.gains, fresh.group_offsets, 4).mean())


def test_the_regression_finds_what_is_linear_and_chance_finds_nothing() -> None:
    scorers = baseline_scorers(world(600, 1), PETS, seed=7)
    by_chance = float(np.mean([ndcg(RandomScorer(seed)) for seed in range(20)]))
    assert by_chance == pytest.approx(ndcg(scorers["random"]), abs=0.06)
    assert ndcg(scorers["logistic"]) > by_chance + 0.2


def test_baselines_are_the_same_for_the_same_data_and_seed() -> None:
    probe = world(20, 9).features
    first, again = (baseline_scorers(world(200, 1), PETS, seed=7) for _ in range(2))
    for name in ("random", "logistic"):
        assert first[name].score(probe).tobytes() == again[name].score(probe).tobytes()


def test_weights_equal_those_of_another_library() -> None:
    part = world(300, 1)
    found = fit_logistic(part, set())
    inputs = found.inputs(part.features)
    theirs = LogisticRegression(C=1 / RIDGE, tol=1e-10, max_iter=1000).fit(inputs[:, 1:], part.gains)
    assert found.weights[1:] == pytest.approx(theirs.coef_[0], abs=1e-5)


def test_a_code_is_a_name_and_not_a_number() -> None:
    part = world(600, 1)
    codes = np.random.default_rng(5).integers(0, 3, part.rows).astype(np.float32)
    part.features[:, 3] = codes
    gains = (codes == 1).astype(np.float32)  # the middle one: no line tells it from both others
    taught = replace(part, gains=gains)
    as_name, as_number = (fit_logistic(taught, codes) for codes in ({"d"}, set()))
    best = as_name.score(part.features)
    assert best[codes == 1].min() > best[codes != 1].max()
    other = as_number.score(part.features)
    assert other[codes == 1].min() < other[codes != 1].max()


def test_constant_missing_and_unseen_values_do_not_break_the_scores() -> None:
    part = world(200, 1)
    part.features[:, 2], part.features[:, 3] = np.nan, 5.0
    found = fit_logistic(part, {"d"})
    odd = np.array([[np.nan] * 4, [0.0, 0.0, 1e30, 99.0]], np.float32)
    assert np.isfinite(found.score(odd)).all()
