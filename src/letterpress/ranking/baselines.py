"""What every ranker is shown against beside popularity and the champion: chance, and a logistic regression.

They take no part in the verdict. They tell a reader what the trees are worth: a ranker that hardly beats
chance has learned nothing, and one that hardly beats the regression need not be an ensemble.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from letterpress.datasets.training_set import TrainingSet
from letterpress.features.views import trial_plan
from letterpress.ranking.held_out_scores import newest_slates
from letterpress.ranking.scorer import Scorer
from letterpress.recommenders import Recommender

Floats = NDArray[np.float64]

MOST_SLATES = 10_000
RIDGE = 10.0
"""Of inputs with a variance of one: ten rows that say that they do not matter."""
NEWTON_STEPS, CLOSE = 20, 1e-8
MOST_LEVELS = 64


def baseline_scorers(train: TrainingSet, recommender: Recommender, *, seed: int) -> dict[str, Scorer]:
    """`random` and `logistic`; the same scorers for the same data and seed."""
    codes = {each.name for each in trial_plan(recommender).features if each.unit == "code"}
    return {"random": RandomScorer(seed), "logistic": fit_logistic(newest_slates(train, MOST_SLATES), codes)}


@dataclass(frozen=True, slots=True)
class RandomScorer:
    """Scores by chance."""

    seed: int

    def score(self, features: NDArray[np.float32]) -> Floats:
        return np.random.default_rng(self.seed).random(len(features))


@dataclass(frozen=True, slots=True)
class LogisticScorer:
    """The log odds of a gain, linear in scaled numbers, in levels of codes and in what is missing."""

    numbers: NDArray[np.intp]
    codes: tuple[tuple[int, int], ...]
    """Columns whose values are names, and how many levels each has."""
    means: Floats
    scales: Floats
    weights: Floats
    """`(1 + n_inputs,)`, the constant first."""

    def score(self, features: NDArray[np.float32]) -> Floats:
        return self.inputs(features) @ self.weights

    def inputs(self, features: NDArray[np.float32]) -> Floats:
        """What the regression looks at, `(n, 1 + n_inputs)`: a missing number is the mean one, and said."""
        numbers = (features[:, self.numbers].astype(np.float64) - self.means) / self.scales
        missing = np.isnan(numbers)
        levels = [
            features[:, column, None] == np.arange(count, dtype=np.float32) for column, count in self.codes
        ]
        parts = [np.ones((len(features), 1)), np.where(missing, 0.0, numbers), missing, *levels]
        return np.concatenate(parts, axis=1, dtype=np.float64)


def fit_logistic(train: TrainingSet, codes: set[str]) -> LogisticScorer:
    """The penalised regression of gains, brought to 0..1, on the features; `codes` are names, not numbers.

    A gain of 0.3 counts as three tenths of a success. One thread, so that sums have one order.
    """
    features = train.features
    is_code = np.array([name in codes for name in train.feature_names], bool)
    numbers = np.flatnonzero(~is_code & np.isfinite(features).any(axis=0))
    levels = tuple(
        (int(column), min(MOST_LEVELS, 1 + int(np.nanmax(features[:, column]))))
        for column in np.flatnonzero(is_code & np.isfinite(features).any(axis=0))
    )
    means = np.nanmean(features[:, numbers], axis=0, dtype=np.float64)
    scales = np.nanstd(features[:, numbers], axis=0, dtype=np.float64)
    scales[scales == 0] = 1.0
    empty = LogisticScorer(numbers, levels, means, scales, np.zeros(0))
    gains = train.gains.astype(np.float64)
    reach = float(np.ptp(gains)) or 1.0
    with threadpool_limits(limits=1, user_api="blas"):
        weights = _newton(empty.inputs(features), (gains - gains.min()) / reach)
    return LogisticScorer(numbers, levels, means, scales, weights)


def _newton(inputs: Floats, shares: Floats) -> Floats:
    """Weights that maximise the penalised likelihood of success shares `(n,)`; the constant is free."""
    penalty = np.full(inputs.shape[1], RIDGE)
    penalty[0] = 1e-6
    weights = np.zeros(inputs.shape[1])
    for _ in range(NEWTON_STEPS):
        chance = 1.0 / (1.0 + np.exp(-np.clip(inputs @ weights, -30.0, 30.0)))
        slope = inputs.T @ (shares - chance) - penalty * weights
        curve = (inputs * (chance * (1.0 - chance))[:, None]).T @ inputs + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        weights += step
        if np.abs(step).max() < CLOSE:
            break
    return weights
