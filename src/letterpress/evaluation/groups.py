"""Groups as flat rows with offsets: group `i` is the rows `offsets[i]:offsets[i + 1]`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def groups_of_rows(group_offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """The group `(n,)` of every row.

    >>> groups_of_rows(np.array([0, 2, 2, 3]))
    array([0, 0, 2])
    """
    return np.repeat(np.arange(len(group_offsets) - 1), np.diff(group_offsets))


def require_sound(
    scores: Floats, gains: Floats, group_offsets: NDArray[np.int64], k: int | None = None
) -> None:
    """Refuse arrays that do not describe ranked groups.

    Raises:
        ValueError: k below 1, a score that is NaN, a gain that is negative or not finite, or offsets that
            do not span the rows.
    """
    if k is not None and k < 1:
        raise ValueError(f"expected k of at least 1, found {k}")
    if not len(group_offsets) or group_offsets[0] != 0 or group_offsets[-1] != len(scores):
        raise ValueError(f"expected offsets from 0 to {len(scores)}, found {group_offsets[:1]} to the last")
    if len(scores) != len(gains) or (np.diff(group_offsets) < 0).any():
        raise ValueError(f"expected rising offsets and as many gains as scores, found {len(gains)} gains")
    if np.isnan(scores).any():
        raise ValueError(f"expected scores, found {int(np.isnan(scores).sum())} NaN")
    if not np.isfinite(gains).all() or (gains < 0).any():
        raise ValueError("expected finite gains of zero or more")


def order_best_first(scores: Floats, groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows `(n,)` by group and falling score; rows that tie keep their order.

    >>> order_best_first(np.array([1.0, 2.0, 3.0, 3.0]), np.array([0, 0, 1, 1]))
    array([1, 0, 2, 3])
    """
    size = _common_size(groups)
    if size is None:
        return np.asarray(np.lexsort((-scores, groups)), dtype=np.int64)
    within = np.argsort(-scores.reshape(-1, size), axis=1, kind="stable")
    return (within + np.arange(0, len(scores), size)[:, None]).ravel()


def _common_size(groups: NDArray[np.int64]) -> int | None:
    """The size of all groups where it is the same, as slates mostly are: they sort in a fifth of the time."""
    size = int(np.searchsorted(groups, groups[0], side="right")) if len(groups) else 0
    if size == 0 or len(groups) % size:
        return None
    by_group = groups.reshape(-1, size)
    is_even = (by_group[:, 0] == by_group[:, -1]).all() and (np.diff(by_group[:, 0]) > 0).all()
    return size if is_even else None


def tied_runs(scores: Floats, groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """For rows in ranked order, the number `(n,)` of the run of equal scores that each belongs to."""
    starts_run = np.ones(len(scores), dtype=bool)
    starts_run[1:] = (groups[1:] != groups[:-1]) | (scores[1:] != scores[:-1])
    return np.asarray(np.cumsum(starts_run) - 1, dtype=np.int64)
