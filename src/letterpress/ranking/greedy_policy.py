"""What a scorer would have shown in the single slots of a log, as a policy that can be judged off-line."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from letterpress.datasets.training_set import TrainingSet
from letterpress.evaluation.snips import PolicyValue, estimate_policy_value
from letterpress.evaluation.support import Asked, covered_share
from letterpress.ranking.scorer import Scorer
from letterpress.recommenders import Gates


def asked_of(gates: Gates) -> Asked:
    """The evidence that a recommender declares to be the least for the value of a policy."""
    return Asked(gates.min_effective_sample_size, gates.min_matched_clicks, gates.min_covered)


def greedy_policy(
    scorer: Scorer, history: TrainingSet, test: TrainingSet, slate_size: int
) -> NDArray[np.float64]:
    """Probabilities `(n_items, n_positions)`, 0 or 1, of the scorer's own slate.

    The slate is its order of all items by their newest features in `history`, fixed before the
    test begins; single slots do not say which other items could have been shown at their moment.
    """
    newest = np.full(len(history.item_ids), -1)
    newest[history.item_codes] = np.arange(history.rows)  # later rows win
    known = np.flatnonzero(newest >= 0)
    scores = scorer.score(history.features[newest[known]])
    best_first = known[np.lexsort((known, -scores))][:slate_size]
    policy = np.zeros((len(history.item_ids), max(slate_size, int(test.position.max(initial=0)))))
    policy[best_first, np.arange(len(best_first))] = 1.0
    return policy


def value_of_greedy(
    scorer: Scorer, history: TrainingSet, test: TrainingSet, slate_size: int, *, seed: int
) -> PolicyValue:
    """The off-policy value of the scorer's greedy slate in clicks a shown slot.

    Raises:
        NotEnoughDataError: a row of the test has no propensity.
    """
    policy, places = greedy_policy(scorer, history, test, slate_size), test.position - 1
    rewards = (test.clicks > 0).astype(np.float64)
    value = estimate_policy_value(rewards, test.propensity, policy[test.item_codes, places], seed=seed)
    return replace(value, covered=covered_share(test.item_codes, places, policy))
