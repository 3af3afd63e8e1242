"""Predicted rewards for the direct method and the doubly robust estimator.

The predictions of a row come from the other folds, so no row is explained by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FOLDS = 5


@dataclass(frozen=True, slots=True)
class PredictedRewards:
    """What a model of rewards says of every row, both `(n,)`."""

    of_logged: Floats
    """Of the action that the log took."""
    of_policy: Floats
    """Of the actions that the policy would take, by its probabilities: the direct method's row."""

    def doubly_robust(self, rewards: NDArray[np.floating], weights: Floats) -> Floats:
        """Rows `(n,)` whose mean is the doubly robust estimate: right if the weights or the model are."""
        return np.asarray(self.of_policy + weights * (rewards - self.of_logged), dtype=np.float64)


def predict_by_action(
    rewards: NDArray[np.floating],
    actions: NDArray[np.integer],
    positions: NDArray[np.integer],
    policy: Floats,
    *,
    prior_weight: float = 200.0,
    seed: int,
) -> PredictedRewards:
    """Predictions by each action's reward rate, shrunken to the mean, on rows of other folds.

    `policy` is `(n_actions, n_positions)`: the probability of each action at each position, the same for
    every row; `actions` and `positions` `(n,)` count from zero. `prior_weight` is how many rows the mean
    is worth.

    >>> rewards, actions = np.array([1.0, 0.0] * 50), np.array([0, 1] * 50)
    >>> found = predict_by_action(rewards, actions, np.zeros(100, int), np.array([[1.0], [0.0]]),
    ...                           prior_weight=1.0, seed=1)
    >>> found.of_policy.min() > 0.95, found.of_logged[1] < 0.05
    (np.True_, np.True_)
    """
    folds = np.random.default_rng(seed).permutation(len(rewards)) % FOLDS
    of_logged, of_policy = np.empty(len(rewards)), np.empty(len(rewards))
    for fold in range(min(FOLDS, len(rewards))):
        held, others = folds == fold, folds != fold
        mean = float(rewards[others].mean()) if others.any() else 0.0
        earned = np.bincount(actions[others], rewards[others], len(policy))
        shown = np.bincount(actions[others], minlength=len(policy))
        rates = (earned + prior_weight * mean) / (shown + prior_weight)
        of_logged[held] = rates[actions[held]]
        of_policy[held] = (rates @ policy)[positions[held]]
    return PredictedRewards(of_logged, of_policy)
