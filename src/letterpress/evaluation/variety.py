"""How much of the catalogue a ranker shows, and how unlike each other the items of a slate are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.evaluation.groups import Floats, groups_of_rows, order_best_first, require_sound


def top_rows(scores: NDArray[np.floating], group_offsets: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """The rows of the best `k` items of every group, best first; ties keep the order of rows.

    >>> top_rows(np.array([1.0, 3.0, 2.0, 5.0]), np.array([0, 3, 4]), k=2)
    array([1, 2, 3])

    Raises:
        ValueError: as `require_sound`.
    """
    exact = scores.astype(np.float64)
    require_sound(exact, np.zeros(len(exact)), group_offsets, k)
    groups = groups_of_rows(group_offsets)
    ranks = np.arange(len(groups)) - group_offsets[:-1][groups]
    return order_best_first(exact, groups)[ranks < k]


def catalogue_coverage(
    scores: NDArray[np.floating],
    items: NDArray[np.integer],
    group_offsets: NDArray[np.int64],
    k: int,
    *,
    catalogue_size: int,
) -> float:
    """Share of the catalogue that is among the best `k` of some group; 0 without groups.

    >>> catalogue_coverage(np.array([2.0, 1.0, 1.0, 2.0]), np.array([7, 8, 7, 9]), np.array([0, 2, 4]), 1,
    ...                    catalogue_size=4)
    0.5

    Raises:
        ValueError: as `require_sound`, or a catalogue that is smaller than what was shown.
    """
    shown = len(np.unique(items[top_rows(scores, group_offsets, k)]))
    if catalogue_size < max(shown, 1):
        raise ValueError(f"expected a catalogue of at least {max(shown, 1)} items, found {catalogue_size}")
    return shown / catalogue_size


def diversity_per_group(
    scores: NDArray[np.floating], kinds: NDArray[np.integer], group_offsets: NDArray[np.int64], k: int
) -> Floats:
    """Share `(n_groups,)` of pairs among the best `k` that are of different kinds; NaN below two items.

    Intra-list diversity (Ziegler et al., 2005) with a distance of 1 between kinds, e.g. enhancements.

    >>> diversity_per_group(np.array([3.0, 2.0, 1.0]), np.array([4, 4, 5]), np.array([0, 3]), 3).round(4)
    array([0.6667])

    Raises:
        ValueError: as `require_sound`.
    """
    rows = top_rows(scores, group_offsets, k)
    groups, n_groups = groups_of_rows(group_offsets)[rows], len(group_offsets) - 1
    _, codes = np.unique(kinds, return_inverse=True)
    width = int(codes.max(initial=0)) + 1
    cells, counts = np.unique(groups * width + codes[rows], return_counts=True)
    alike = np.bincount(cells // width, counts * (counts - 1), n_groups)
    sizes = np.bincount(groups, minlength=n_groups)
    pairs = sizes * (sizes - 1.0)
    same: Floats = np.divide(alike, pairs, out=np.full(n_groups, np.nan), where=pairs > 0)
    return 1.0 - same
