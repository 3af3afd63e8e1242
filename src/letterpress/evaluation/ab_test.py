"""How well scores pick the winners of A/B tests that they have not seen, and the verdict on that."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from letterpress.evaluation.looks import error_of_look, lower_bound
from letterpress.evaluation.paired_bootstrap import (
    Interval,
    bootstrap_mean,
    bootstrap_ratio,
    paired_bootstrap,
)
from letterpress.evaluation.slices import measure_slices
from letterpress.evaluation.verdict import SCHEMA, Verdict, told_of_harm

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]

SIGNIFICANT_Z = 1.959964
RANKERS = ("popularity", "champion", "challenger")


@dataclass(frozen=True, slots=True)
class ArmCounts:
    """Clicks and trials `(n,)` of arms; test `i` is rows `offsets[i]:offsets[i + 1]`."""

    clicks: NDArray[np.integer]
    trials: NDArray[np.integer]
    offsets: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SignificantPairs:
    """Pairs of arms of one test whose click rates differ by more than chance would have it."""

    better: Rows
    worse: Rows
    tests: Rows


def significant_pairs(arms: ArmCounts) -> SignificantPairs:
    """All pairs of a test with |z| above 1.96, by the pooled test of two proportions.

    >>> arms = ArmCounts(np.array([10, 90, 12]), np.array([1000, 1000, 1000]), np.array([0, 3]))
    >>> pairs = significant_pairs(arms)
    >>> pairs.better.tolist(), pairs.worse.tolist()
    ([1, 1], [0, 2])
    """
    lefts, rights, tests = [], [], []
    for test, (start, end) in enumerate(zip(arms.offsets[:-1], arms.offsets[1:], strict=True)):
        left, right = np.triu_indices(int(end - start), 1)
        lefts.append(left + start)
        rights.append(right + start)
        tests.append(np.full(len(left), test))
    left, right = (np.concatenate(rows) if rows else np.zeros(0, np.int64) for rows in (lefts, rights))
    z = _z_scores(arms, left, right)
    kept = np.abs(z) > SIGNIFICANT_Z
    better, worse = np.where(z > 0, left, right)[kept], np.where(z > 0, right, left)[kept]
    return SignificantPairs(better, worse, np.concatenate(tests)[kept] if tests else np.zeros(0, np.int64))


def _z_scores(arms: ArmCounts, left: Rows, right: Rows) -> Floats:
    clicks, trials = arms.clicks.astype(np.float64), arms.trials.astype(np.float64)
    both = trials[left] + trials[right]
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (clicks[left] + clicks[right]) / both
        error = np.sqrt(pooled * (1 - pooled) * (1 / trials[left] + 1 / trials[right]))
        z = (clicks[left] / trials[left] - clicks[right] / trials[right]) / error
    finite: Floats = np.nan_to_num(z, nan=0.0, posinf=0.0, neginf=0.0)
    return finite


def ordered_right(scores: NDArray[np.floating], pairs: SignificantPairs) -> Floats:
    """1 for each pair that `scores` order as their clicks do, 0 for the others, a half for a tie."""
    difference = scores[pairs.better] - scores[pairs.worse]
    right: Floats = np.where(difference > 0, 1.0, np.where(difference < 0, 0.0, 0.5))
    return right


def lift_of_pick(scores: NDArray[np.floating], arms: ArmCounts) -> Floats:
    """Click rate of each test's best-scored arm over the mean of its arms, less one `(n_tests,)`.

    Arms that tie for the best share the pick. NaN for a test with fewer than two delivered arms, or without
    a click. An arm that was never delivered is not picked.

    >>> arms = ArmCounts(np.array([10, 30, 5]), np.array([1000, 1000, 1000]), np.array([0, 2, 3]))
    >>> lift_of_pick(np.array([0.1, 0.2, 0.3]), arms)
    array([0.5, nan])
    """
    lifts = np.full(len(arms.offsets) - 1, np.nan)
    for test, (start, end) in enumerate(zip(arms.offsets[:-1], arms.offsets[1:], strict=True)):
        delivered = arms.trials[start:end] > 0
        clicks, trials = arms.clicks[start:end][delivered], arms.trials[start:end][delivered]
        if len(trials) > 1 and clicks.any():
            rates, here = clicks / trials, scores[start:end][delivered]
            lifts[test] = rates[here == here.max()].mean() / rates.mean() - 1.0
    return lifts


def pairwise_accuracy(
    scores: NDArray[np.floating], pairs: SignificantPairs, *, seed: int, rounds: int = 2000
) -> Interval:
    """Share of significant pairs in the right order, with an interval that draws whole tests.

    Raises:
        NotEnoughDataError: the pairs are of fewer than two tests.
    """
    right = ordered_right(scores, pairs)
    return bootstrap_ratio(right, np.ones(len(right)), pairs.tests, rounds=rounds, seed=seed)


def judge_by_ab_tests(
    scores: dict[str, Floats],
    arms: ArmCounts,
    *,
    min_gain: float,
    min_tests: int,
    epsilon: float,
    seed: int,
    look: int = 1,
    slices: Mapping[str, NDArray[np.str_]] | None = None,
) -> Verdict:
    """Promote when the paired gain in lift is above `min_gain` at this look's error, and no slice is harmed.

    `scores` holds the scores `(n,)` of popularity, champion and challenger, and of baselines that are only
    shown. Where every item ties, as for popularity on lines that nobody has seen, a pick is worth the mean
    arm: a lift of zero. `slices` are labels `(n_tests,)` by kind, and `epsilon` is the share of its clicks
    that a slice must lose for certain; the bar itself is no loss at all.
    """
    lifts = {name: lift_of_pick(each, arms) for name, each in scores.items()}
    known = ~np.isnan(lifts["challenger"])
    pairs = significant_pairs(arms)
    numbers: dict[str, Any] = {
        "schema": SCHEMA,
        "metric": "lift",
        "test_slates": int(known.sum()),
        "test_campaigns": int(known.sum()),
        "significant_pairs": len(pairs.better),
        "min_relative_gain": min_gain,
        "seed": seed,
    }
    if numbers["test_slates"] < min_tests or len(np.unique(pairs.tests)) < 2:
        return Verdict(promoted=False, reason=_too_thin(numbers, min_tests), numbers=numbers)
    tests = np.arange(len(known))
    right = {name: pairwise_accuracy(scores[name], pairs, seed=seed) for name in RANKERS}
    difference = paired_bootstrap(lifts["champion"], lifts["challenger"], tests, seed=seed)
    means = {name: bootstrap_mean(each, tests, seed=seed) for name, each in lifts.items()}
    numbers |= _as_numbers({name: means[name] for name in RANKERS}) | {"accuracy": _as_numbers(right)}
    numbers["baselines"] = _as_numbers({name: means[name] for name in lifts if name not in RANKERS})
    error = error_of_look(look)
    low = lower_bound(difference, error)
    numbers["difference"] = {**difference.as_numbers(), "low_at_look": low}
    numbers |= {"bar": min_gain, "look": look, "error_at_look": error, "epsilon": epsilon}
    champion, challenger = (1.0 + lifts[name][known] for name in ("champion", "challenger"))
    kinds = {kind: labels[known] for kind, labels in (slices or {}).items()}
    found = measure_slices(champion, challenger, tests[known], kinds, epsilon=epsilon)
    numbers["slices"] = [each.as_numbers() for each in found]
    against = _against(difference, low, min_gain, look) or told_of_harm(found)
    outcome = against or f"the lower bound clears the bar of {min_gain:+.1%}, so the challenger is promoted."
    return Verdict(against is None, _compared(means, right, difference) + outcome, numbers)


def _as_numbers(intervals: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: interval.as_numbers() for name, interval in intervals.items()}


def _too_thin(numbers: Mapping[str, Any], min_tests: int) -> str:
    return (
        f"not enough evidence: expected at least {min_tests} A/B tests with two arms and clicks, and "
        f"two with arms that differ significantly; found {numbers['test_slates']} tests and "
        f"{numbers['significant_pairs']} such pairs. Import more tests."
    )


def _compared(means: dict[str, Interval], right: dict[str, Interval], difference: Interval) -> str:
    return (
        f"the arm that the challenger picks beats the mean arm by {_percent(means['challenger'])}, the "
        f"champion's by {_percent(means['champion'])}; difference {_percent(difference)} on "
        f"{difference.clusters} A/B tests; of pairs that differ significantly the challenger orders "
        f"{right['challenger'].mean:.1%} rightly, the champion {right['champion'].mean:.1%}: "
    )


def _percent(interval: Interval) -> str:
    return f"{interval.mean:+.1%} [{interval.low:+.1%}, {interval.high:+.1%}]"


def _against(difference: Interval, low: float, bar: float, look: int) -> str | None:
    """What speaks against promotion; None when nothing does. `low` is the bound at this look's error."""
    if low > bar:
        return None
    if difference.high < 0:
        return "the challenger is worse, so the champion stays."
    if difference.mean <= bar:
        return f"the gain is not above the bar of {bar:+.1%}, so the champion stays."
    needed = math.ceil(difference.clusters * ((difference.mean - low) / (difference.mean - bar)) ** 2)
    return (
        f"the lower bound for look {look}, {low:+.1%}, does not clear the bar of {bar:+.1%}, so the champion "
        f"stays; about {needed} tests would tell."
    )
