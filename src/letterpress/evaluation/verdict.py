"""Whether a challenger replaces the champion: the bars are arguments, fixed before anything was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from letterpress.evaluation.looks import error_of_look, lower_bound
from letterpress.evaluation.paired_bootstrap import Interval, bootstrap_ratios
from letterpress.evaluation.slices import SliceEffect, measure_slices
from letterpress.evaluation.snips import ESTIMATES, PolicyValue
from letterpress.evaluation.support import Asked, missing_support

Floats = NDArray[np.float64]
SCHEMA = 2
"""Of the numbers in a verdict's record; 1 had no relative gain, slices or looks."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision, the sentence that explains it, and every number that it rests on."""

    promoted: bool
    reason: str
    numbers: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Gained:
    """DCG@k `(n_slates,)` of champion and challenger on the same slates, in labels freed of position."""

    champion: Floats
    challenger: Floats


@dataclass(frozen=True, slots=True)
class Condition:
    """One more number that must stay within its limit, e.g. a calibration error or a latency."""

    name: str
    value: float
    limit: float
    unit: str = ""

    @property
    def holds(self) -> bool:
        """False for NaN too: what was not measured does not pass."""
        return self.value <= self.limit

    def __str__(self) -> str:
        return f"{self.name} {self.value:.4g} {self.unit}".rstrip() + f" against at most {self.limit:g}"

    def as_numbers(self) -> dict[str, object]:
        return {"name": self.name, "value": self.value, "limit": self.limit, "unit": self.unit}


@dataclass(frozen=True, slots=True)
class RankersOnTest:
    """NDCG@k `(n_slates,)` of three rankers on the same slates, and the campaign of each slate.

    Slates that cannot tell one order from another (no gain, one item, equal gains) are NaN.
    """

    k: int
    popularity: Floats
    champion: Floats
    challenger: Floats
    campaigns: NDArray[np.integer]
    gained: tuple[Gained, ...] = ()
    """What is judged by: first the best estimate, then what it would be at the bounds of examination.
    Without any, NDCG is judged by."""
    slices: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)
    """Labels `(n_slates,)` by kind of slice; an empty label is none."""
    baselines: Mapping[str, Floats] = field(default_factory=dict)
    """NDCG of further rankers by name, which are shown and take no part in the verdict."""
    examination: Mapping[str, Any] | None = None
    """What labels were divided by; None where the log was in random order."""

    def judged_by(self) -> tuple[Gained, ...]:
        """What is compared: DCG, or NDCG with nothing for slates that cannot tell."""
        if self.gained:
            return self.gained
        return (Gained(np.nan_to_num(self.champion), np.nan_to_num(self.challenger)),)


def judge_by_ndcg(
    rankers: RankersOnTest,
    *,
    epsilon: float,
    min_test_slates: int,
    min_test_campaigns: int,
    seed: int,
    rounds: int = 2000,
    look: int = 1,
    conditions: Sequence[Condition] = (),
) -> Verdict:
    """Promote what gains, is not worse by `epsilon` at this look's error, and harms no slice.

    The gain is the relative difference in summed DCG@k: linear in the labels, so their noise does not
    shrink it as it shrinks NDCG (ADR 0018). Its interval is a paired bootstrap over campaigns, whose lower
    bound is moved to the error that the `look`-th challenger against this champion may spend.
    """
    known = ~np.isnan(rankers.challenger)
    numbers: dict[str, Any] = {
        "schema": SCHEMA,
        "metric": f"ndcg@{rankers.k}",
        "test_slates": int(known.sum()),
        "test_slates_without_gain": int((~known).sum()),
        "test_campaigns": len(np.unique(rankers.campaigns[known])),
        "epsilon": epsilon,
        "look": look,
        "rounds": rounds,
        "seed": seed,
    }
    if numbers["test_slates"] < min_test_slates or numbers["test_campaigns"] < min_test_campaigns:
        del numbers["look"]  # nothing was looked at
        reason = _too_thin(numbers, min_test_slates, min_test_campaigns)
        return Verdict(promoted=False, reason=reason, numbers=numbers)
    means, found = _measure(rankers, numbers)
    gain, low = found["gain"], numbers["gain"]["low_at_look"]
    slices = _slices_of(rankers, epsilon)
    numbers["slices"] = [each.as_numbers() for each in slices]
    numbers["conditions"] = [each.as_numbers() for each in conditions]
    against = _against(gain, low, epsilon, slices, conditions)
    reason = f"{_compared(means, gain, numbers, rankers.k)}: " + (
        against or "it gains, and no loss beyond the bar is plausible, so the challenger is promoted."
    )
    return Verdict(promoted=against is None, reason=reason, numbers=numbers)


def _slices_of(rankers: RankersOnTest, epsilon: float) -> list[SliceEffect]:
    best, *moved = rankers.judged_by()
    return measure_slices(
        best.champion,
        best.challenger,
        rankers.campaigns,
        rankers.slices,
        epsilon=epsilon,
        bounds=[(each.champion, each.challenger) for each in moved],
    )


def _measure(
    rankers: RankersOnTest, numbers: dict[str, Any]
) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """NDCG of each ranker, and the differences between two; all of them are added to `numbers`."""
    rounds, seed, campaigns = numbers["rounds"], numbers["seed"], rankers.campaigns
    means, baselines = _mean_ndcg(rankers, rounds=rounds, seed=seed)
    gains = bootstrap_ratios(
        [(each.challenger - each.champion, each.champion) for each in rankers.judged_by()],
        campaigns,
        rounds=rounds,
        seed=seed,
    )
    found = {"difference": means.pop("difference"), "gain": widen(gains)}
    error = error_of_look(numbers["look"])
    numbers |= {name: interval.as_numbers() for name, interval in (means | found).items()}
    numbers["baselines"] = {name: each.as_numbers() for name, each in baselines.items()}
    numbers["gain"]["low_at_look"] = lower_bound(found["gain"], error)
    numbers |= {"error_at_look": error, "bar": -numbers["epsilon"], "examination": rankers.examination}
    return means, found


def _mean_ndcg(
    rankers: RankersOnTest, *, rounds: int, seed: int
) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """Mean NDCG of the three rankers with their `difference`, and that of the baselines."""
    known = ~np.isnan(rankers.challenger)
    ndcg = {name: getattr(rankers, name) for name in ("popularity", "champion", "challenger")}
    ndcg["difference"] = rankers.challenger - rankers.champion
    columns = [each[known] for each in (*ndcg.values(), *rankers.baselines.values())]
    ones = np.ones(int(known.sum()))
    intervals = iter(
        bootstrap_ratios(
            [(each, ones) for each in columns], rankers.campaigns[known], rounds=rounds, seed=seed
        )
    )
    return {name: next(intervals) for name in ndcg}, {name: next(intervals) for name in rankers.baselines}


def widen(gains: Sequence[Interval]) -> Interval:
    """The first interval, widened by how far its mean moves at the bounds of what it rests on (the others).

    Two independent errors add in squares.

    >>> str(widen([Interval(0.0, -0.3, 0.3, 50), Interval(-0.4, -0.7, 0.0, 50), Interval(0.1, 0.0, 0.4, 50)]))
    '0.0000 [-0.5000, 0.3162]'
    """
    best = gains[0]
    down = best.mean - min(each.mean for each in gains)
    up = max(each.mean for each in gains) - best.mean
    low = best.mean - math.hypot(best.mean - best.low, down)
    return Interval(best.mean, low, best.mean + math.hypot(best.high - best.mean, up), best.clusters)


def _too_thin(numbers: dict[str, Any], min_test_slates: int, min_test_campaigns: int) -> str:
    return (
        f"not enough evidence: expected at least {min_test_slates} test slates whose items differ in gain, "
        f"of {min_test_campaigns} campaigns or more; found {numbers['test_slates']} of "
        f"{numbers['test_campaigns']} campaigns, and {numbers['test_slates_without_gain']} slates that "
        "tell no order from another. Wait for more outcomes, and train again."
    )


def _compared(means: dict[str, Interval], gain: Interval, numbers: dict[str, Any], k: int) -> str:
    low = numbers["gain"]["low_at_look"]
    bound = (
        "" if math.isclose(low, gain.low, abs_tol=1e-12) else f"; at look {numbers['look']} from {low:+.2%}"
    )
    return (
        f"NDCG@{k} challenger {means['challenger']}, champion {means['champion']}, popularity "
        f"{means['popularity']}; relative gain {gain.mean:+.2%} [{gain.low:+.2%}, {gain.high:+.2%}{bound}] "
        f"on {gain.clusters} campaigns against a bar of {numbers['bar']:+.2%}"
    )


def _against(
    gain: Interval,
    low: float,
    epsilon: float,
    slices: Sequence[SliceEffect],
    conditions: Sequence[Condition],
) -> str | None:
    """What speaks against promotion, the weightiest first; None when nothing does."""
    if gain.high < 0:
        return "the challenger is worse, so the champion stays."
    if gain.mean <= 0:
        return "there is no gain, so the champion stays."
    if low <= -epsilon:
        needed = math.ceil(gain.clusters * ((gain.mean - low) / (gain.mean + epsilon)) ** 2)
        return (
            f"a loss beyond the bar is still plausible, so the champion stays; about {needed:,} campaigns "
            "would tell."
        )
    if harm := told_of_harm(slices):
        return harm
    if broken := [str(each) for each in conditions if not each.holds]:
        return f"{'; '.join(broken)}: beyond the limit, so the champion stays."
    return None


def told_of_harm(slices: Sequence[SliceEffect]) -> str | None:
    """Which slices are harmed, in a sentence; None when none is."""
    harmed = [each for each in slices if each.is_harmed]
    if not harmed:
        return None
    told = ", ".join(f"{each.kind} {each.label} ({each.pooled:+.1%})" for each in harmed[:5])
    return f"it harms {len(harmed)} of {len(slices)} slices: {told}; so the champion stays."


def judge_by_snips(
    *,
    champion: PolicyValue,
    challenger: PolicyValue,
    min_relative_gain: float,
    asked: Asked,
    look: int = 1,
    baselines: Mapping[str, PolicyValue] | None = None,
) -> Verdict:
    """Promote when the challenger's SNIPS interval at this look's error lies above the champion's.

    Both values come from the same log. Thin evidence refuses before any estimate is looked at, and the
    numbers then hold none: an interval that no click matched looks tight and says nothing. `baselines` are
    only shown.
    """

    def lacks(policy: PolicyValue) -> str | None:
        return missing_support(policy, asked)

    numbers: dict[str, Any] = {
        "schema": SCHEMA,
        "metric": "snips",
        "challenger": _supported_numbers(challenger, lacks(challenger)),
        "champion": _supported_numbers(champion, lacks(champion)),
        "baselines": {
            name: _supported_numbers(each, lacks(each)) for name, each in (baselines or {}).items()
        },
        "min_relative_gain": min_relative_gain,
        "min_effective_sample_size": asked.effective_sample_size,
        "min_matched_clicks": asked.matched_clicks,
        "min_covered": asked.covered,
    }
    lacking = lacks(challenger)
    if lacking is not None or challenger.snips is None:
        return Verdict(promoted=False, reason=f"not enough evidence: {lacking}", numbers=numbers)
    stays = champion.on_policy
    if champion.snips is not None and lacks(champion) is None:
        stays = max(stays, champion.snips.high)
    bar = stays * (1 + min_relative_gain)
    error = error_of_look(look)
    low = lower_bound(challenger.snips, error)
    numbers |= {"bar": bar, "look": look, "error_at_look": error, "low_at_look": low}
    reason = _snips_reason(challenger, numbers)
    return Verdict(promoted=low > bar, reason=reason, numbers=numbers)


def _snips_reason(challenger: PolicyValue, numbers: dict[str, Any]) -> str:
    bar, low = numbers["bar"], numbers["low_at_look"]
    outcome = (
        "clears the bar, so the challenger is promoted" if low > bar else "does not, so the champion stays"
    )
    return (
        f"SNIPS value of the challenger {challenger.snips}, at look {numbers['look']} from {low:.4f}, "
        f"against a bar of {bar:.4f} (effective sample size {challenger.effective_sample_size:.0f}, "
        f"{challenger.matched_clicks} matched clicks): it {outcome}."
    )


def _supported_numbers(policy: PolicyValue, lacking: str | None) -> dict[str, Any]:
    """The policy's numbers, without its estimates where support is missing."""
    numbers = policy.as_numbers()
    if lacking is None:
        return numbers
    return {name: value for name, value in numbers.items() if name not in ESTIMATES}
