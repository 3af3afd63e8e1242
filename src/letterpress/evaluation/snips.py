"""The value of a policy from the log of another one: IPS, SNIPS, DM and DR, with what they rest on.

An estimate from a log that hardly ever did what the policy would do looks precise and means nothing, so
every estimate carries what it rests on, and `support.py` says in a sentence what it lacks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.doubly_robust import PredictedRewards
from letterpress.evaluation.paired_bootstrap import Interval, bootstrap_ratio

Floats = NDArray[np.float64]
ESTIMATES = ("ips", "snips", "dm", "dr")


@dataclass(frozen=True, slots=True)
class PolicyValue:
    """Estimates of a policy's mean reward a row, and the evidence under them."""

    rows: int
    clicks: int
    """Rows with a reward in the log."""
    matched_rows: int
    """Rows where the policy could have done what the log did."""
    matched_clicks: int
    effective_sample_size: float
    """(sum w)^2 / sum w^2 (Kong, 1992)."""
    largest_weight: float
    mean_weight: float
    """Near 1 where the log covers what the policy does."""
    mean_weight_error: float
    """Standard error of that, over clusters."""
    on_policy: float
    ips: Interval | None
    snips: Interval | None
    """None where no row matched."""
    dm: Interval | None = None
    dr: Interval | None = None
    """None without a model of rewards."""
    covered: float | None = None
    """Share of what the policy does that the log did at least once; None where the policy is known only on
    what was logged."""

    def as_numbers(self) -> dict[str, object]:
        numbers: dict[str, object] = {
            name: getattr(self, name)
            for name in ("rows", "clicks", "matched_rows", "matched_clicks", "effective_sample_size")
        }
        numbers |= {
            name: getattr(self, name)
            for name in ("largest_weight", "mean_weight", "mean_weight_error", "covered", "on_policy")
        }
        for name in ESTIMATES:
            interval: Interval | None = getattr(self, name)
            numbers[name] = None if interval is None else interval.as_numbers()
        return numbers


def importance_weights(logged: NDArray[np.floating], target: NDArray[np.floating]) -> Floats:
    """Weights `(n,)`: the policy's probability of what was logged over the log's own.

    >>> importance_weights(np.array([0.5, 0.25]), np.array([1.0, 0.0]))
    array([2., 0.])

    Raises:
        NotEnoughDataError: a logged propensity is missing, zero or above one.
    """
    unusable = ~((logged > 0) & (logged <= 1))
    if unusable.any():
        raise NotEnoughDataError(
            f"expected a logged propensity in (0, 1] in all {len(logged)} rows, found {int(unusable.sum())} "
            "without; log the propensity of every shown item, or leave those rows out."
        )
    if not ((target >= 0) & (target <= 1)).all():
        raise ValueError("expected the policy's probabilities in 0..1")
    return np.asarray(target / logged, dtype=np.float64)


def estimate_policy_value(
    rewards: NDArray[np.floating],
    logged: NDArray[np.floating],
    target: NDArray[np.floating],
    *,
    seed: int,
    rounds: int = 2000,
    clusters: NDArray[np.integer] | None = None,
    predicted: PredictedRewards | None = None,
) -> PolicyValue:
    """IPS (Horvitz and Thompson) and SNIPS (Swaminathan and Joachims, 2015) of a policy a row.

    `rewards`, `logged` and `target` are `(n,)`: what a row earned, the log's probability of its action and
    the policy's. Rows are independent unless `clusters` says otherwise. With `predicted` rewards there are
    DM and DR (Dudik, Langford and Li, 2011) too.

    >>> rewards, target = np.array([1.0, 0.0, 1.0, 0.0]), np.array([1.0, 1.0, 0.0, 1.0])
    >>> value = estimate_policy_value(rewards, np.full(4, 0.5), target, seed=1)
    >>> value.ips.mean, round(value.snips.mean, 4), value.effective_sample_size, value.matched_clicks
    (0.5, 0.3333, 3.0, 1)

    Raises:
        NotEnoughDataError: no rows, or a logged propensity that cannot be used.
    """
    weights = importance_weights(logged, target)
    return value_of_weighted(
        rewards, weights, seed=seed, rounds=rounds, clusters=clusters, predicted=predicted
    )


def value_of_weighted(
    rewards: NDArray[np.floating],
    weights: Floats,
    *,
    seed: int,
    rounds: int,
    clusters: NDArray[np.integer] | None,
    predicted: PredictedRewards | None,
) -> PolicyValue:
    """The estimates for rows whose importance weights `(n,)` are known.

    Raises:
        NotEnoughDataError: there are no rows.
    """
    n = len(rewards)
    if not n:
        raise NotEnoughDataError("expected logged rows to judge a policy on, found none; ingest a log first.")
    each = np.arange(n) if clusters is None else clusters
    matched, clicked = weights > 0, np.asarray(rewards) > 0
    estimates: dict[str, Interval] = {}

    def estimate(name: str, tops: Floats, bottoms: Floats) -> None:
        estimates[name] = bootstrap_ratio(tops, bottoms, each, rounds=rounds, seed=seed)

    if len(np.unique(each)) > 1:
        if matched.any():
            estimate("ips", weights * rewards, np.ones(n))
            estimate("snips", weights * rewards, weights)
        if predicted is not None:
            estimate("dm", predicted.of_policy, np.ones(n))
            estimate("dr", predicted.doubly_robust(rewards, weights), np.ones(n))
    return PolicyValue(
        rows=n,
        clicks=int(clicked.sum()),
        matched_rows=int(matched.sum()),
        matched_clicks=int((matched & clicked).sum()),
        effective_sample_size=float(weights.sum() ** 2 / (weights**2).sum()) if matched.any() else 0.0,
        largest_weight=float(weights.max()),
        mean_weight=float(weights.mean()),
        mean_weight_error=_error_of_mean(weights, each),
        on_policy=float(np.mean(rewards)),
        ips=estimates.get("ips"),
        snips=estimates.get("snips"),
        dm=estimates.get("dm"),
        dr=estimates.get("dr"),
    )


def _error_of_mean(weights: Floats, clusters: NDArray[np.integer]) -> float:
    """Standard error of the mean of `weights` `(n,)` over clusters; NaN with a single cluster."""
    _, codes = np.unique(clusters, return_inverse=True)
    away = np.bincount(codes, weights - weights.mean())
    if len(away) < 2:
        return float("nan")
    return float(np.sqrt((away**2).sum() * len(away) / (len(away) - 1)) / len(weights))
