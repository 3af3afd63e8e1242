"""What to draw of a verdict, and the sentence that says what to conclude from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from letterpress.site.interval_chart import Interval, IntervalChart, lay_out

RANKERS = ("random", "popularity", "logistic", "champion", "challenger")
SCALES = {"ndcg": "1 is the best order", "lift": "0 is the mean arm of an A/B test"}
"""What the values of a metric mean, by its first four letters."""
MOST_SLICES = 8


@dataclass(frozen=True, slots=True)
class DrawnVerdict:
    """Charts of one verdict, top to bottom, and the conclusion."""

    charts: tuple[IntervalChart, ...]
    conclusion: str


def draw_verdict(verdict: Mapping[str, Any]) -> DrawnVerdict:
    """The charts of a verdict record; none when its numbers hold no interval (too little evidence)."""
    numbers = verdict["numbers"]
    if str(numbers.get("metric", "")).startswith(tuple(SCALES)):
        return _draw_compared(numbers)
    return _draw_snips(numbers)


def _interval(label: str, numbers: Any) -> Interval | None:
    if not isinstance(numbers, Mapping) or not {"mean", "low", "high"} <= set(numbers):
        return None
    return Interval(label, float(numbers["mean"]), float(numbers["low"]), float(numbers["high"]))


def _draw_compared(numbers: Mapping[str, Any]) -> DrawnVerdict:
    metric = str(numbers["metric"]).upper()
    shown = {**(numbers.get("baselines") or {}), **numbers}
    found = [interval for name in RANKERS if (interval := _interval(name, shown.get(name)))]
    difference = _interval("difference", numbers.get("difference"))
    if not found or difference is None:
        return DrawnVerdict((), "There is too little evidence to draw: no interval was computed.")
    levels = lay_out(
        f"{metric} of baselines, champion and challenger",
        f"{metric} on {numbers['test_slates']:,} test slates "
        f"({SCALES[metric.lower()[:4]]}; higher is better)",
        found,
    )
    gained = _interval("gain", numbers.get("gain"))
    if gained is None:  # A/B tests, and records of before relative gains
        return _draw_difference(numbers, levels, difference)
    bar, low = float(numbers["bar"]), float(numbers["gain"]["low_at_look"])
    marks = [(0.0, "no change"), (bar, "bar")]
    gain = lay_out(
        "Relative gain of the challenger over the champion",
        f"share of the champion's gain, paired by campaign ({numbers['test_campaigns']:,} campaigns)",
        [gained],
        marks,
        signed=True,
    )
    clears = "lies above" if low > bar else "does not lie above"
    conclusion = (
        f"With 95 % confidence the challenger changes what slates gain by {gained.low:+.2%} to "
        f"{gained.high:+.2%}; the lower bound for look {numbers['look']}, {low:+.2%}, {clears} the bar of "
        f"{bar:+.2%}."
    )
    charts = (levels, gain, *_draw_slices(numbers.get("slices") or [], bar))
    if harmed := sum(bool(each["is_harmed"]) for each in numbers.get("slices") or []):
        conclusion += f" It harms {harmed} of {len(numbers['slices'])} slices."
    return DrawnVerdict(charts, conclusion)


def _draw_difference(numbers: Mapping[str, Any], levels: IntervalChart, difference: Interval) -> DrawnVerdict:
    metric, bar = str(numbers["metric"]).upper(), float(numbers["bar"])
    gain = lay_out(
        "Challenger minus champion",
        f"difference in {metric}, paired by campaign ({numbers['test_campaigns']:,} campaigns)",
        [difference],
        [(0.0, "no change"), (bar, "bar")] if bar else [(0.0, "no change")],
        signed=True,
    )
    low = float(numbers["difference"].get("low_at_look", difference.low))
    clears = "lies above" if low > bar else "does not lie above"
    conclusion = (
        f"With 95 % confidence the challenger changes {metric} by {difference.low:+.4f} to "
        f"{difference.high:+.4f}; the lower bound for look {numbers.get('look', 1)}, {low:+.4f}, {clears} "
        f"the bar of {bar:+.4f}."
    )
    return DrawnVerdict((levels, gain, *_draw_slices(numbers.get("slices") or [], bar)), conclusion)


def _draw_slices(slices: list[Mapping[str, Any]], bar: float) -> tuple[IntervalChart, ...]:
    """The slices that fare worst, pooled with their kind; none where there are no slices."""
    worst = sorted(slices, key=lambda each: float(each["pooled"]))[:MOST_SLICES]
    if not worst:
        return ()
    intervals = [
        Interval(
            str(each["label"]),
            float(each["pooled"]),
            float(each["pooled"]) - 1.96 * float(each["pooled_error"]),
            float(each["pooled"]) + 1.96 * float(each["pooled_error"]),
        )
        for each in worst
    ]
    title = f"The {len(worst)} slices of {len(slices)} that fare worst"
    marks = [(0.0, "no change"), (bar, "bar")]
    return (lay_out(title, "relative gain, pooled with slices of its kind", intervals, marks, signed=True),)


def _draw_snips(numbers: Mapping[str, Any]) -> DrawnVerdict:
    shown = {**(numbers.get("baselines") or {}), **numbers}
    policies = {name: shown.get(name) or {} for name in RANKERS}
    found = [
        interval for name, policy in policies.items() if (interval := _interval(name, policy.get("snips")))
    ]
    matched = policies["challenger"].get("matched_clicks", 0)
    size = float(policies["challenger"].get("effective_sample_size", 0.0))
    logged = float(policies["challenger"].get("on_policy", 0.0))
    asked = (
        f"{numbers.get('min_matched_clicks', 0):,} matching clicks and an effective sample size of "
        f"{float(numbers.get('min_effective_sample_size', 0.0)):,.0f}"
    )
    if not any(interval.label == "challenger" for interval in found):
        conclusion = (
            f"No value is shown, because none could be trusted: {matched:,} logged clicks match what the "
            f"challenger would show, with an effective sample size of {size:,.0f}; {asked} are asked for."
        )
        return DrawnVerdict((), conclusion)
    chart = lay_out(
        "Estimated value of baselines, champion and challenger",
        "clicks per slot, estimated from the log by SNIPS (higher is better)",
        found,
        [(logged, "as logged")],
    )
    conclusion = (
        f"The estimate of the challenger rests on {matched:,} clicks that match its choices, with an "
        f"effective sample size of {size:,.0f}; {asked} are asked for."
    )
    return DrawnVerdict((chart,), conclusion)
