"""The value of a policy from the log of another one: IPS, SNIPS, DM and DR, with what they rest on.

An estimate from a log that hardly ever did what the policy would do looks precise and means nothing, so
every estimate carries its effective sample size, and `missing_support` says in a sentence what it lacks.
"""

from __future__ import annotations

import math
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
    on_policy: float
    ips: Interval | None
    snips: Interval | None
    """None where no row matched."""
    dm: Interval | None = None
    dr: Interval | None = None
    """None without a model of rewards."""

    def as_numbers(self) -> dict[str, object]:
        numbers: dict[str, object] = {
            name: getattr(self, name)
            for name in ("rows", "clicks", "matched_rows", "matched_clicks", "effective_sample_size")
        }
        numbers |= {name: getattr(self, name) for name in ("largest_weight", "mean_weight", "on_policy")}
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
        on_policy=float(np.mean(rewards)),
        **{name: estimates.get(name) for name in ESTIMATES},
    )


def missing_support(
    value: PolicyValue, *, min_effective_sample_size: float, min_matched_clicks: int
) -> str | None:
    """What the evidence lacks, in a sentence with the traffic that it would take; None when it suffices."""
    enough_size = value.effective_sample_size >= min_effective_sample_size
    if enough_size and value.matched_clicks >= min_matched_clicks:
        return None
    found = (
        f"{value.clicks} clicks in {value.rows} rows, {value.matched_clicks} of them on what the policy "
        f"would show; effective sample size {value.effective_sample_size:.1f}, largest weight "
        f"{value.largest_weight:.4g}"
    )
    needed = (
        f"{min_matched_clicks} matched clicks and an effective sample size of {min_effective_sample_size:g}"
    )
    rows = rows_needed(value, min_effective_sample_size, min_matched_clicks)
    traffic = "clicks at all" if rows is None else f"about {rows:,} such rows"
    return f"expected at least {needed}; found {found}. It needs {traffic}, or a log that explores more."


def rows_needed(value: PolicyValue, min_effective_sample_size: float, min_matched_clicks: int) -> int | None:
    """Rows of the same log that would reach both bars, by proportion; None when no rate is known.

    Where no click matched, the log's own click rate stands in for the policy's.
    """
    if value.effective_sample_size == 0 or value.clicks == 0:
        return None
    matched_rate = value.matched_rows / value.rows
    click_rate = value.clicks / value.rows * matched_rate
    if value.matched_clicks:
        click_rate = value.matched_clicks / value.rows
    for_size = value.rows * min_effective_sample_size / value.effective_sample_size
    return math.ceil(max(for_size, min_matched_clicks / click_rate))
