"""How often the better of two items of a group has the higher score, one value a group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.evaluation.groups import Floats, groups_of_rows, require_sound


def ordered_pairs_per_group(
    scores: NDArray[np.floating], gains: NDArray[np.floating], group_offsets: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Pairs ordered rightly and pairs with unequal gains, both `(n_groups,)`; tied scores count one half.

    Their ratio of sums weighs every pair alike. Takes time in rows times the largest group.

    Raises:
        ValueError: as `require_sound`.
    """
    exact_scores, exact_gains = scores.astype(np.float64), gains.astype(np.float64)
    require_sound(exact_scores, exact_gains, group_offsets)
    groups, n_groups = groups_of_rows(group_offsets), len(group_offsets) - 1
    right, pairs = np.zeros(n_groups), np.zeros(n_groups)
    for lag in range(1, int(np.diff(group_offsets).max(initial=0))):
        rows = np.flatnonzero(groups[lag:] == groups[:-lag])
        gained = np.sign(exact_gains[rows + lag] - exact_gains[rows])
        scored = np.sign(exact_scores[rows + lag] - exact_scores[rows])
        differ = gained != 0
        agreement = 0.5 * (1.0 + gained[differ] * scored[differ])
        right += np.bincount(groups[rows[differ]], agreement, n_groups)
        pairs += np.bincount(groups[rows[differ]], minlength=n_groups)
    return right, pairs


def pairwise_accuracy_per_group(
    scores: NDArray[np.floating], gains: NDArray[np.floating], group_offsets: NDArray[np.int64]
) -> Floats:
    """Share `(n_groups,)` of pairs with unequal gains that are ordered rightly; NaN where all are equal.

    >>> scores, gains = np.array([3.0, 2.0, 2.0, 1.0]), np.array([0.0, 1.0, 0.0, 0.0])
    >>> pairwise_accuracy_per_group(scores, gains, np.array([0, 4, 4]))
    array([0.5, nan])

    Raises:
        ValueError: as `require_sound`.
    """
    right, pairs = ordered_pairs_per_group(scores, gains, group_offsets)
    share: Floats = np.divide(right, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return share
