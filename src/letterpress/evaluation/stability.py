"""How far two samples of one quantity differ: the population stability index."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS = 10
_ADDED = 0.5
"""To every count, so that an empty bin is rare and not impossible."""


def stability_index(before: NDArray[np.floating], after: NDArray[np.floating], *, bins: int = BINS) -> float:
    """The index of two samples by quantiles of the first; NaN is a bin of its own. 0 is equal.

    Few values make a bin each. Above 0.25 a population is commonly said to have changed.

    >>> stability_index(np.arange(100.0), np.arange(100.0))
    0.0
    >>> stability_index(np.arange(100.0), np.arange(100.0) + 90) > 1
    True
    """
    known = before[~np.isnan(before)]
    levels = np.unique(known)
    if len(levels) > bins:
        levels = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[:-1]))

    def shares(sample: NDArray[np.floating]) -> NDArray[np.float64]:
        missing = np.isnan(sample)
        places = np.searchsorted(levels, sample[~missing], side="right")
        counts = np.append(np.bincount(places, minlength=len(levels) + 1), missing.sum()) + _ADDED
        return np.asarray(counts / counts.sum(), np.float64)

    one, other = shares(before), shares(after)
    return float(((other - one) * np.log(other / one)).sum())
