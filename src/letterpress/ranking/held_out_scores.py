"""Scores of slates by a model that did not learn from them, though it learnt from slates like them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from letterpress.datasets.training_set import TrainingSet
from letterpress.ranking.scorer import Scorer

Floats = NDArray[np.float64]
MOST_SLATES = 20_000
"""Newest slates that are scored so: enough to tell rates by, and the time does not grow with the log."""
HALVES = 2


def newest_slates(part: TrainingSet, most: int = MOST_SLATES) -> TrainingSet:
    """The newest `most` slates of `part`, or all of them."""
    return part.take(np.arange(len(part)) >= len(part) - most)


def score_by_halves(part: TrainingSet, fit: Callable[[TrainingSet], Scorer]) -> Floats:
    """Scores `(n,)` of every row by the scorer that `fit` makes of the other half of the campaigns.

    Whatever `fit` raises for a half that is too small is raised.
    """
    halves = part.campaign_codes % HALVES
    scores = np.empty(part.rows)
    for half in range(HALVES):
        mine = halves == half
        if mine.any():
            rows = np.repeat(mine, part.group_sizes)
            scores[rows] = fit(part.take(~mine)).score(part.features[rows])
    return scores
