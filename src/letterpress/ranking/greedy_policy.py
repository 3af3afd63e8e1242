"""What a scorer would have shown in the single slots of a log, as a policy that can be judged off-line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.datasets.training_set import TrainingSet
from letterpress.evaluation.snips import PolicyValue, estimate_policy_value
from letterpress.ranking.scorer import Scorer


def greedy_propensities(
    scorer: Scorer, history: TrainingSet, test: TrainingSet, slate_size: int
) -> NDArray[np.float64]:
    """Probability `(n,)`, 0 or 1, that the scorer's own slate has the logged item at the logged position.

    The slate is its order of all items by their newest features in `history`, fixed before the
    test begins; single slots do not say which other items could have been shown at their moment.
    """
    newest = np.full(len(history.item_ids), -1)
    newest[history.item_codes] = np.arange(history.rows)  # later rows win
    known = np.flatnonzero(newest >= 0)
    scores = scorer.score(history.features[newest[known]])
    best_first = known[np.lexsort((known, -scores))][:slate_size]
    positions = np.zeros(len(history.item_ids), dtype=np.int64)
    positions[best_first] = np.arange(1, len(best_first) + 1)
    matches: NDArray[np.float64] = (positions[test.item_codes] == test.position).astype(np.float64)
    return matches


def value_of_greedy(
    scorer: Scorer, history: TrainingSet, test: TrainingSet, slate_size: int, *, seed: int
) -> PolicyValue:
    """The off-policy value of the scorer's greedy slate in clicks a shown slot.

    Raises:
        NotEnoughDataError: a row of the test has no propensity.
    """
    target = greedy_propensities(scorer, history, test, slate_size)
    rewards = (test.clicks > 0).astype(np.float64)
    return estimate_policy_value(rewards, test.propensity, target, seed=seed)
