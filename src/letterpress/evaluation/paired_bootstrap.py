"""Bootstrap intervals that draw whole clusters, because slates of one campaign are not independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from letterpress.errors import NotEnoughDataError

Floats = NDArray[np.float64]
_DRAWS_AT_ONCE = 100_000
"""As many as stay in a core's cache: forty times as many took twice the time."""
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the bounds of its confidence interval, and the clusters that it rests on."""

    mean: float
    low: float
    high: float
    clusters: int

    def as_numbers(self) -> dict[str, float | int]:
        return {"mean": self.mean, "low": self.low, "high": self.high, "clusters": self.clusters}

    def __str__(self) -> str:
        return f"{self.mean:.4f} [{self.low:.4f}, {self.high:.4f}]"


def _cluster_sums(values: Floats, clusters: NDArray[np.integer]) -> Floats:
    _, codes = np.unique(clusters, return_inverse=True)
    return np.bincount(codes, weights=values)


def _resampled_ratios(tops: Floats, bottoms: Floats, rounds: int, seed: int) -> Floats:
    """Ratios `(rounds, m)` of sums of m pairs of columns `(n, m)` over clusters drawn with replacement.

    How often a round drew each cluster is counted once for all pairs, and the sums are one product.
    """
    generator = np.random.default_rng(seed)
    n, m = tops.shape
    both = np.concatenate([tops, bottoms], axis=1)
    ratios = np.empty((rounds, m))
    step = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, rounds, step):
        size = min(step, rounds - start)
        drawn = generator.integers(0, n, size=(size, n), dtype=np.uint32)
        places = drawn + (np.arange(size) * n)[:, None]
        counts = np.bincount(places.ravel(), minlength=size * n).reshape(size, n)
        sums = counts.astype(np.float64) @ both
        top, bottom = sums[:, :m], sums[:, m:]
        ratios[start : start + size] = np.divide(top, bottom, out=np.zeros_like(top), where=bottom != 0)
    return ratios


def _acceleration(tops: Floats, bottoms: Floats) -> float:
    """Skewness of the leave-one-cluster-out ratios over six."""
    remaining = bottoms.sum() - bottoms
    if (remaining == 0).any():
        return 0.0
    left_out = (tops.sum() - tops) / remaining
    away = left_out.mean() - left_out
    spread = float((away**2).sum())
    return float((away**3).sum()) / (6.0 * spread**1.5) if spread > 0 else 0.0


def _bca_levels(ratios: Floats, estimate: float, acceleration: float, confidence: float) -> Floats:
    """The two percentile levels, corrected for bias and skew (Efron, 1987)."""
    below = float(np.mean(ratios < estimate) + np.mean(ratios == estimate) / 2)
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    if not 0.0 < below < 1.0:
        return tails
    bias = _NORMAL.inv_cdf(below)
    levels = []
    for tail in tails:
        shifted = bias + _NORMAL.inv_cdf(float(tail))
        levels.append(_NORMAL.cdf(bias + shifted / (1 - acceleration * shifted)))
    return np.array(levels)


def bootstrap_ratio(
    numerators: NDArray[np.floating],
    denominators: NDArray[np.floating],
    clusters: NDArray[np.integer],
    *,
    rounds: int = 2000,
    seed: int,
    confidence: float = 0.95,
) -> Interval:
    """Interval of `sum(numerators) / sum(denominators)`, all `(n,)`, by BCa over drawn clusters.

    Raises:
        NotEnoughDataError: fewer than two clusters, or denominators that sum to zero.
    """
    pairs = [(numerators, denominators)]
    return bootstrap_ratios(pairs, clusters, rounds=rounds, seed=seed, confidence=confidence)[0]


def bootstrap_ratios(
    pairs: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]],
    clusters: NDArray[np.integer],
    *,
    rounds: int = 2000,
    seed: int,
    confidence: float = 0.95,
) -> list[Interval]:
    """The interval of each ratio of sums, as `bootstrap_ratio` gives it, from clusters drawn once for all.

    >>> tops, ones, clusters = np.array([1.0, 2.0, 3.0]), np.ones(3), np.arange(3)
    >>> both = bootstrap_ratios([(tops, ones), (ones, tops)], clusters, seed=3)
    >>> both == [bootstrap_ratio(a, b, clusters, seed=3) for a, b in ((tops, ones), (ones, tops))]
    True

    Raises:
        NotEnoughDataError: fewer than two clusters, or denominators that sum to zero.
    """
    tops, bottoms = (
        np.stack([_cluster_sums(np.asarray(pair[side], dtype=np.float64), clusters) for pair in pairs], 1)
        for side in (0, 1)
    )
    if len(tops) < 2 or (bottoms.sum(axis=0) == 0).any():
        raise NotEnoughDataError(
            f"expected at least 2 clusters with evidence for an interval, found {len(tops)}; "
            "collect slates of more campaigns."
        )
    ratios = _resampled_ratios(tops, bottoms, rounds, seed)
    return [
        _interval_of(ratios[:, column], tops[:, column], bottoms[:, column], confidence)
        for column in range(len(pairs))
    ]


def _interval_of(ratios: Floats, tops: Floats, bottoms: Floats, confidence: float) -> Interval:
    estimate = float(tops.sum() / bottoms.sum())
    levels = _bca_levels(ratios, estimate, _acceleration(tops, bottoms), confidence)
    low, high = np.quantile(ratios, levels)
    return Interval(estimate, float(low), float(high), len(tops))


def bootstrap_mean(
    values: NDArray[np.floating],
    clusters: NDArray[np.integer],
    *,
    rounds: int = 2000,
    seed: int,
    confidence: float = 0.95,
) -> Interval:
    """Interval of the mean of `values` `(n,)`; NaN are left out.

    >>> values = np.array([0.1, 0.3, 0.2, np.nan, 0.4, 0.5, 0.3])
    >>> interval = bootstrap_mean(values, np.array([0, 0, 1, 1, 2, 3, 4]), seed=7)
    >>> round(interval.mean, 6), interval.clusters, interval.low < 0.3 < interval.high
    (0.3, 5, True)
    """
    known = ~np.isnan(values)
    return bootstrap_ratio(
        values[known],
        np.ones(int(known.sum())),
        clusters[known],
        rounds=rounds,
        seed=seed,
        confidence=confidence,
    )


def paired_bootstrap(
    champion: NDArray[np.floating],
    challenger: NDArray[np.floating],
    clusters: NDArray[np.integer],
    *,
    rounds: int = 2000,
    seed: int,
    confidence: float = 0.95,
) -> Interval:
    """Interval of the mean of `challenger - champion`, both `(n_groups,)` on the same groups.

    A group where either is NaN is left out.

    >>> champion, challenger = np.array([0.1, 0.2, 0.3]), np.array([0.2, 0.3, 0.4])
    >>> str(paired_bootstrap(champion, challenger, np.arange(3), seed=1))
    '0.1000 [0.1000, 0.1000]'
    """
    return bootstrap_mean(challenger - champion, clusters, rounds=rounds, seed=seed, confidence=confidence)
