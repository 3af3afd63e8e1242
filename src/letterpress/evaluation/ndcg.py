"""Normalised discounted cumulative gain with linear gains, one value a group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.evaluation.groups import groups_of_rows, order_best_first, require_sound, tied_runs

Floats = NDArray[np.float64]


GROUPS_AT_ONCE = 4096
"""As many as stay in a core's cache: all of 100,000 slates at once took twice the time a slate."""


def _discounts(group_offsets: NDArray[np.int64], groups: NDArray[np.int64], k: int) -> Floats:
    ranks = np.arange(len(groups)) - group_offsets[:-1][groups]
    weights = 1.0 / np.log2(np.arange(int(ranks.max()) + 1) + 2.0)
    weights[k:] = 0.0
    discounts: Floats = weights[ranks]
    return discounts


def _expected_gains(scores: Floats, gains: Floats, groups: NDArray[np.int64]) -> Floats:
    """Gains in falling order of score; items that tie share the mean of their gains."""
    order = order_best_first(scores, groups)
    runs = tied_runs(scores[order], groups)
    means = np.bincount(runs, weights=gains[order]) / np.bincount(runs)
    shared: Floats = means[runs]
    return shared


def dcg_per_group(
    scores: NDArray[np.floating], gains: NDArray[np.floating], group_offsets: NDArray[np.int64], k: int
) -> Floats:
    """Discounted cumulative gain of the best `k` `(n_groups,)`; 0 for a group without gain.

    Linear in the gains, so noise in them that is zero on average leaves its expectation alone; dividing by
    the ideal, which picks the luckiest items, does not. Ties as in `ndcg_per_group`.

    >>> dcg_per_group(np.array([3.0, 2.0, 1.0]), np.array([0.0, 1.0, 1.0]), np.array([0, 3]), k=2).round(4)
    array([0.6309])

    Raises:
        ValueError: as `require_sound`.
    """
    exact_scores, exact_gains = scores.astype(np.float64), gains.astype(np.float64)
    require_sound(exact_scores, exact_gains, group_offsets, k)
    gained = np.zeros(len(group_offsets) - 1)
    for first in range(0, len(gained), GROUPS_AT_ONCE):
        offsets = group_offsets[first : first + GROUPS_AT_ONCE + 1]
        rows = slice(offsets[0], offsets[-1])
        gained[first : first + GROUPS_AT_ONCE] = _dcg_of_some(
            exact_scores[rows], exact_gains[rows], offsets - offsets[0], k
        )
    return gained


def _dcg_of_some(scores: Floats, gains: Floats, group_offsets: NDArray[np.int64], k: int) -> Floats:
    groups = groups_of_rows(group_offsets)
    if not len(groups):
        return np.zeros(len(group_offsets) - 1)
    weighted = _expected_gains(scores, gains, groups) * _discounts(group_offsets, groups, k)
    return np.bincount(groups, weighted, len(group_offsets) - 1)


def ndcg_per_group(
    scores: NDArray[np.floating], gains: NDArray[np.floating], group_offsets: NDArray[np.int64], k: int
) -> Floats:
    """NDCG@k `(n_groups,)` in 0..1; NaN for a group without any gain, which says nothing of a ranker.

    Group `i` is the rows `group_offsets[i]:group_offsets[i + 1]` of `scores` and `gains`, both `(n,)`.
    Tied scores get the expectation over all their orders (McSherry and Najork, 2008), so the order of
    rows never matters.

    >>> scores, gains = np.array([3.0, 2.0, 1.0, 5.0, 5.0]), np.array([0.0, 1.0, 0.0, 0.0, 0.0])
    >>> ndcg_per_group(scores, gains, np.array([0, 3, 5]), k=3).round(4)
    array([0.6309,    nan])
    >>> ndcg_per_group(np.zeros(2), np.array([1.0, 0.0]), np.array([0, 2]), k=1)
    array([0.5])

    Raises:
        ValueError: as `require_sound`.
    """
    gained = dcg_per_group(scores, gains, group_offsets, k)
    ideal = dcg_per_group(gains, gains, group_offsets, k)
    ndcg: Floats = np.divide(gained, ideal, out=np.full(len(gained), np.nan), where=ideal > 0)
    return ndcg
