"""How gains go with features, within slates, from one window of time to the next."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from letterpress.evaluation.groups import groups_of_rows

Floats = NDArray[np.float64]
_ROUNDING = 1e-6
"""A spread within slates that is a smaller share of a feature's size is rounding."""
_LEAST_OWN = 0.05
"""Share of a feature's variance that others must leave unexplained for it to count as one more."""


class Associations(NamedTuple):
    """How gains go with features, within slates, from window to window."""

    slopes: Floats
    """`(n_windows, n_features)` of gains on each standardised feature."""
    components: Floats
    """`(n_windows, n_components)`: the same of what each feature adds to others, brought to unit variance."""


def associations(
    features: NDArray[np.floating],
    gains: NDArray[np.floating],
    group_offsets: NDArray[np.int64],
    windows: NDArray[np.integer],
) -> Associations:
    """How gains follow features in each window of time.

    `features` is `(n, n_features)`, `windows` `(n_groups,)` counts from zero, oldest first. A missing value
    and a feature that is constant in its slate say nothing.
    """
    groups, n_groups = groups_of_rows(group_offsets), len(windows)
    rows_of = windows[groups]
    n_windows = int(windows.max()) + 1
    centred_gains = _centred(gains.astype(np.float64), groups, n_groups)
    whole = np.empty(features.shape, np.float32)
    slopes = np.zeros((n_windows, features.shape[1]))
    covariances = np.zeros_like(slopes)
    counts = np.maximum(np.bincount(rows_of, minlength=n_windows), 1)
    for place in range(features.shape[1]):
        centred = _centred(features[:, place].astype(np.float64), groups, n_groups)
        spread = _spread(centred, features[:, place])
        tops = np.bincount(rows_of, centred * centred_gains, n_windows)
        squares = np.bincount(rows_of, centred**2, n_windows)
        if spread == 0.0:
            whole[:, place] = 0.0
            continue
        slopes[:, place] = spread * np.divide(tops, squares, out=np.zeros(n_windows), where=squares > 0)
        covariances[:, place] = tops / spread / counts
        whole[:, place] = centred / spread
    shared = (whole.T @ whole).astype(np.float64) / max(1, len(whole))
    chosen = _distinct(shared)
    factor = np.linalg.cholesky(shared[np.ix_(chosen, chosen)])
    return Associations(slopes, np.linalg.solve(factor, covariances[:, chosen].T).T)


def _distinct(shared: Floats) -> list[int]:
    """Features that each say something which those chosen before do not; `shared` is their covariance."""
    left = np.diag(shared).copy()
    columns, chosen = np.empty((0, len(shared))), list[int]()
    while len(left) and left.max() > _LEAST_OWN:
        best = int(left.argmax())
        column = (shared[best] - columns[:, best] @ columns) / math.sqrt(left[best])
        columns = np.vstack([columns, column])
        left -= column**2
        left[best] = 0.0
        chosen.append(best)
    return chosen


def _spread(centred: Floats, values: NDArray[np.floating]) -> float:
    """Standard deviation of centred values; 0 where only rounding is left of them."""
    spread = math.sqrt(float((centred**2).mean()))
    size = math.sqrt(float(np.nanmean(values.astype(np.float64) ** 2))) if np.isfinite(values).any() else 0.0
    return spread if spread > _ROUNDING * size else 0.0


def _centred(values: Floats, groups: NDArray[np.int64], n_groups: int) -> Floats:
    """Values less the mean of their slate; 0 where missing."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    counts = np.maximum(np.bincount(groups, known, n_groups), 1.0)
    means = np.bincount(groups, filled, n_groups) / counts
    return np.where(known, filled - means[groups], 0.0)
