from __future__ import annotations

import numpy as np
import pytest

from letterpress.evaluation.doubly_robust import PredictedRewards, predict_by_action
from letterpress.evaluation.snips import estimate_policy_value

RATES, LOGGING = np.array([0.05, 0.1, 0.4]), np.array([0.6, 0.3, 0.1])
WANTED = np.array([0.1, 0.2, 0.7])
TRUTH = float(RATES @ WANTED)


def test_the_doubly_robust_estimate_is_right_with_a_wrong_model_and_narrower_with_a_right_one() -> None:
    generator = np.random.default_rng(8)
    actions = generator.choice(3, size=8_000, p=LOGGING)
    rewards = (generator.random(8_000) < RATES[actions]).astype(float)
    logged, target = LOGGING[actions], WANTED[actions]
    wrong = PredictedRewards(np.full(8_000, 0.5), np.full(8_000, 0.5))
    right = predict_by_action(rewards, actions, np.zeros(8_000, int), WANTED[:, None], seed=1)
    found = {
        name: estimate_policy_value(rewards, logged, target, seed=1, rounds=200, predicted=model)
        for name, model in (("wrong", wrong), ("right", right))
    }
    for value in found.values():
        assert value.dr is not None
        assert value.dr.low < TRUTH < value.dr.high
    assert found["wrong"].dm is not None
    assert found["wrong"].dm.mean == pytest.approx(0.5)
    right_dr, ips = found["right"].dr, found["right"].ips
    assert right_dr is not None
    assert ips is not None
    assert right_dr.high - right_dr.low < ips.high - ips.low


def test_no_row_is_predicted_from_itself() -> None:
    rewards = np.zeros(50)
    rewards[7] = 1.0
    actions = np.arange(50)
    found = predict_by_action(rewards, actions, np.zeros(50, int), np.full((50, 1), 0.02), seed=3)
    assert found.of_logged[7] < 0.001


def test_an_action_that_was_never_shown_is_predicted_at_the_mean() -> None:
    rewards = np.tile([1.0, 0.0], 500)
    policy = np.array([[0.0], [1.0]])
    found = predict_by_action(rewards, np.zeros(1000, int), np.zeros(1000, int), policy, seed=1)
    assert found.of_policy == pytest.approx(0.5, abs=0.05)
