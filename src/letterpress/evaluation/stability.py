"""How far two samples of one quantity differ: the population stability index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10
_ADDED = 0.5
"""To every count, so that an empty bin is rare and not impossible."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How a sample lies: `counts` of values below the first level, from each of `levels` on, and missing."""

    levels: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def coverage(self) -> float | None:
        """The share of values that are known; None of no values at all."""
        total = sum(self.counts)
        return 1 - self.counts[-1] / total if total else None


def spread_of(sample: NDArray[np.floating], *, bins: int = BINS) -> Spread:
    """How `sample` `(n,)` lies by its own quantiles; few values make a bin each.

    >>> spread_of(np.array([1.0, 2.0, 2.0, np.nan]))
    Spread(levels=(1.0, 2.0), counts=(0, 1, 2, 1))
    """
    known = sample[~np.isnan(sample)]
    levels = np.unique(known)
    if len(levels) > bins:
        levels = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[:-1]))
    return Spread(tuple(levels.tolist()), _count(levels, sample))


def _count(levels: NDArray[np.floating], sample: NDArray[np.floating]) -> tuple[int, ...]:
    missing = np.isnan(sample)
    places = np.searchsorted(levels, sample[~missing], side="right")
    return (*np.bincount(places, minlength=len(levels) + 1).tolist(), int(missing.sum()))


def distance(before: Spread, after: NDArray[np.floating]) -> float:
    """The stability index between a spread and a sample `(n,)`; 0 is equal.

    Above 0.25 a population is commonly said to have changed.
    """
    one, other = (
        np.asarray(counts, np.float64) + _ADDED
        for counts in (before.counts, _count(np.asarray(before.levels), after))
    )
    one, other = one / one.sum(), other / other.sum()
    return float(((other - one) * np.log(other / one)).sum())


def stability_index(before: NDArray[np.floating], after: NDArray[np.floating], *, bins: int = BINS) -> float:
    """The index of two samples by quantiles of the first; NaN is a bin of its own. 0 is equal.

    >>> stability_index(np.arange(100.0), np.arange(100.0))
    0.0
    >>> stability_index(np.arange(100.0), np.arange(100.0) + 90) > 1
    True
    """
    return distance(spread_of(before, bins=bins), after)
