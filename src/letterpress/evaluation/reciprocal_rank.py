"""One over the rank of the first item that gained anything, one value a group."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.evaluation.groups import (
    Floats,
    groups_of_rows,
    order_best_first,
    require_sound,
    tied_runs,
)


def reciprocal_rank_per_group(
    scores: NDArray[np.floating], gains: NDArray[np.floating], group_offsets: NDArray[np.int64]
) -> Floats:
    """Reciprocal rank `(n_groups,)` in 0..1; NaN for a group without gain. Its mean is the MRR.

    Tied scores get the expectation over all their orders, so the order of rows never matters.

    >>> scores, gains = np.array([3.0, 2.0, 2.0, 1.0]), np.array([0.0, 1.0, 0.0, 0.0])
    >>> reciprocal_rank_per_group(scores, gains, np.array([0, 4, 4])).round(4)
    array([0.4167,    nan])

    Raises:
        ValueError: as `require_sound`.
    """
    exact_scores, exact_gains = scores.astype(np.float64), gains.astype(np.float64)
    require_sound(exact_scores, exact_gains, group_offsets)
    found = np.full(len(group_offsets) - 1, np.nan)
    groups = groups_of_rows(group_offsets)
    if not len(groups):
        return found
    order = order_best_first(exact_scores, groups)
    runs = tied_runs(exact_scores[order], groups)
    starts = np.flatnonzero(np.diff(runs, prepend=-1))
    sizes, hits = np.bincount(runs), np.bincount(runs, exact_gains[order] > 0)
    with_hit = np.flatnonzero(hits > 0)
    run_groups = groups[starts[with_hit]]
    first = with_hit[np.unique(run_groups, return_index=True)[1]]
    before = starts[first] - group_offsets[:-1][groups[starts[first]]]
    found[groups[starts[first]]] = _expected_reciprocal(before, sizes[first], hits[first])
    return found


def _expected_reciprocal(before: NDArray[np.int64], size: NDArray[np.int64], hits: Floats) -> Floats:
    """Mean of `1 / (before + x)`, x the place of the first of `hits` among `size` items in random order."""
    expected, still_none = np.zeros(len(size)), np.ones(len(size))
    for place in range(int(size.max(initial=0))):
        left = np.maximum(size - place, 1)
        found_here = np.minimum(hits / left, 1.0) * (place < size)
        expected += still_none * found_here / (before + place + 1)
        still_none *= 1.0 - found_here
    return expected
