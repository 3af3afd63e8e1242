"""Whether a challenger replaces the champion: the bars are arguments, fixed before anything was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from letterpress.evaluation.paired_bootstrap import Interval, bootstrap_mean, paired_bootstrap
from letterpress.evaluation.snips import PolicyValue, missing_support

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision, the sentence that explains it, and every number that it rests on."""

    promoted: bool
    reason: str
    numbers: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RankersOnTest:
    """NDCG@k `(n_slates,)` of three rankers on the same slates, and the campaign of each slate.

    Slates without any gain are NaN and count for nobody.
    """

    k: int
    popularity: Floats
    champion: Floats
    challenger: Floats
    campaigns: NDArray[np.integer]


def judge_by_ndcg(
    rankers: RankersOnTest,
    *,
    min_relative_gain: float,
    min_test_slates: int,
    seed: int,
    rounds: int = 2000,
) -> Verdict:
    """Promote when the paired interval of NDCG@k lies above `min_relative_gain` of the champion's mean."""
    challenger, campaigns = rankers.challenger, rankers.campaigns
    known = ~np.isnan(challenger)
    numbers: dict[str, Any] = {
        "metric": f"ndcg@{rankers.k}",
        "test_slates": int(known.sum()),
        "test_slates_without_gain": int((~known).sum()),
        "test_campaigns": len(np.unique(campaigns[known])),
        "min_relative_gain": min_relative_gain,
        "rounds": rounds,
        "seed": seed,
    }
    if numbers["test_slates"] < min_test_slates or numbers["test_campaigns"] < 2:
        return Verdict(promoted=False, reason=_too_thin(numbers, min_test_slates), numbers=numbers)
    means = {
        name: bootstrap_mean(getattr(rankers, name), campaigns, rounds=rounds, seed=seed)
        for name in ("popularity", "champion", "challenger")
    }
    difference = paired_bootstrap(rankers.champion, challenger, campaigns, rounds=rounds, seed=seed)
    bar = min_relative_gain * means["champion"].mean
    numbers |= {name: interval.as_numbers() for name, interval in means.items()}
    numbers |= {"difference": difference.as_numbers(), "bar": bar}
    promoted = difference.low > bar
    reason = _compared(means, difference, bar, rankers.k) + _outcome(difference, bar, promoted=promoted)
    return Verdict(promoted=promoted, reason=reason, numbers=numbers)


def _too_thin(numbers: dict[str, Any], min_test_slates: int) -> str:
    return (
        f"expected at least {min_test_slates} test slates with a gain, of 2 campaigns or more; found "
        f"{numbers['test_slates']} of {numbers['test_campaigns']} campaigns. Wait for more outcomes."
    )


def _compared(means: dict[str, Interval], difference: Interval, bar: float, k: int) -> str:
    relative = difference.mean / means["champion"].mean if means["champion"].mean else math.inf
    return (
        f"NDCG@{k} challenger {means['challenger']}, champion {means['champion']}, popularity "
        f"{means['popularity']}; difference {difference.mean:+.4f} [{difference.low:+.4f}, "
        f"{difference.high:+.4f}] ({relative:+.1%}) on {difference.clusters} campaigns against a bar of "
        f"{bar:+.4f}: "
    )


def _outcome(difference: Interval, bar: float, *, promoted: bool) -> str:
    if promoted:
        return "the whole interval clears the bar, so the challenger is promoted."
    if difference.high < 0:
        return "the challenger is worse, so the champion stays."
    if difference.mean <= bar:
        return "the gain is not above the bar, so the champion stays."
    needed = math.ceil(
        difference.clusters * ((difference.mean - difference.low) / (difference.mean - bar)) ** 2
    )
    return f"the interval reaches below the bar, so the champion stays; about {needed} campaigns would tell."


def judge_by_snips(
    *,
    champion: PolicyValue,
    challenger: PolicyValue,
    min_relative_gain: float,
    min_effective_sample_size: float,
    min_matched_clicks: int,
) -> Verdict:
    """Promote when the challenger's SNIPS interval lies above the champion's estimate and its bar.

    Both values come from the same log. Thin evidence refuses before any estimate is looked at, and the
    numbers then hold none: an interval that no click matched looks tight and says nothing.
    """

    def lacks(policy: PolicyValue) -> str | None:
        return missing_support(
            policy,
            min_effective_sample_size=min_effective_sample_size,
            min_matched_clicks=min_matched_clicks,
        )

    numbers: dict[str, Any] = {
        "metric": "snips",
        "challenger": _supported_numbers(challenger, lacks(challenger)),
        "champion": _supported_numbers(champion, lacks(champion)),
        "min_relative_gain": min_relative_gain,
        "min_effective_sample_size": min_effective_sample_size,
        "min_matched_clicks": min_matched_clicks,
    }
    lacking = lacks(challenger)
    if lacking is not None or challenger.snips is None:
        return Verdict(promoted=False, reason=f"not enough evidence: {lacking}", numbers=numbers)
    stays = champion.on_policy
    if champion.snips is not None and lacks(champion) is None:
        stays = max(stays, champion.snips.high)
    bar = stays * (1 + min_relative_gain)
    promoted = challenger.snips.low > bar
    outcome = (
        "clears the bar, so the challenger is promoted" if promoted else "does not, so the champion stays"
    )
    reason = (
        f"SNIPS value of the challenger {challenger.snips} against a bar of {bar:.4f} (effective sample size "
        f"{challenger.effective_sample_size:.0f}, {challenger.matched_clicks} matched clicks): it {outcome}."
    )
    return Verdict(promoted=promoted, reason=reason, numbers=numbers | {"bar": bar})


def _supported_numbers(policy: PolicyValue, lacking: str | None) -> dict[str, Any]:
    """The policy's numbers, without its estimates where support is missing."""
    numbers = policy.as_numbers()
    if lacking is None:
        return numbers
    return {name: value for name, value in numbers.items() if name not in ("ips", "snips")}
