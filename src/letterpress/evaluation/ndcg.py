"""Normalised discounted cumulative gain with linear gains, one value a group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def _groups_of_rows(group_offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(group_offsets) - 1), np.diff(group_offsets))


def _discounts(group_offsets: NDArray[np.int64], groups: NDArray[np.int64], k: int) -> Floats:
    ranks = np.arange(len(groups)) - group_offsets[:-1][groups]
    weights: Floats = 1.0 / np.log2(ranks + 2.0)
    weights[ranks >= k] = 0.0
    return weights


def _expected_gains(scores: Floats, gains: Floats, groups: NDArray[np.int64]) -> Floats:
    """Gains in falling order of score; items that tie share the mean of their gains."""
    order = np.lexsort((-scores, groups))
    scores, gains = scores[order], gains[order]
    starts_run = np.ones(len(scores), dtype=bool)
    starts_run[1:] = (groups[1:] != groups[:-1]) | (scores[1:] != scores[:-1])
    runs = np.cumsum(starts_run) - 1
    means = np.bincount(runs, weights=gains) / np.bincount(runs)
    shared: Floats = means[runs]
    return shared


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
        ValueError: k below 1, a score that is NaN, a gain that is negative or not finite, or offsets that
            do not span the rows.
    """
    exact_scores, exact_gains = scores.astype(np.float64), gains.astype(np.float64)
    _require_sound(exact_scores, exact_gains, group_offsets, k)
    groups = _groups_of_rows(group_offsets)
    if not len(groups):
        return np.full(len(group_offsets) - 1, np.nan)
    discounts = _discounts(group_offsets, groups, k)
    n_groups = len(group_offsets) - 1
    gained = np.bincount(groups, _expected_gains(exact_scores, exact_gains, groups) * discounts, n_groups)
    ideal = np.bincount(groups, exact_gains[np.lexsort((-exact_gains, groups))] * discounts, n_groups)
    ndcg: Floats = np.divide(gained, ideal, out=np.full(n_groups, np.nan), where=ideal > 0)
    return ndcg


def _require_sound(scores: Floats, gains: Floats, group_offsets: NDArray[np.int64], k: int) -> None:
    if k < 1:
        raise ValueError(f"expected k of at least 1, found {k}")
    if not len(group_offsets) or group_offsets[0] != 0 or group_offsets[-1] != len(scores):
        raise ValueError(f"expected offsets from 0 to {len(scores)}, found {group_offsets[:1]} to the last")
    if len(scores) != len(gains) or (np.diff(group_offsets) < 0).any():
        raise ValueError(f"expected rising offsets and as many gains as scores, found {len(gains)} gains")
    if np.isnan(scores).any():
        raise ValueError(f"expected scores, found {int(np.isnan(scores).sum())} NaN")
    if not np.isfinite(gains).all() or (gains < 0).any():
        raise ValueError("expected finite gains of zero or more")
