"""What to draw of the age of training data: what each day of it still counts, and what old items bring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from letterpress.site.interval_chart import Interval, IntervalChart, Tick, lay_out

WIDTH, LEFT, RIGHT = 772.0, 64.0, 756.0
TOP, HEIGHT, AXIS = 12.0, 150.0, 52.0
MOST_BARS = 60
TICKS = 6
MOST_FEATURES = 12


@dataclass(frozen=True, slots=True)
class Bar:
    """The rows of a span of days, and the part of them that still counts."""

    x: float
    width: float
    y: float
    height: float
    counted_y: float
    counted_height: float
    text: str


@dataclass(frozen=True, slots=True)
class WorthChart:
    """Everything that the template draws, in pixels of its view box."""

    conclusion: str
    width: float
    height: float
    left: float
    right: float
    axis_y: float
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    levels: tuple[Tick, ...]
    """Along the upright axis: `x` counts from the top."""


@dataclass(frozen=True, slots=True)
class CohortRow:
    age: str
    items: int
    rows: int
    share: float
    why: str
    """Whether there is a reason to train on them still."""


@dataclass(frozen=True, slots=True)
class FeatureRow:
    name: str
    days: float
    interval: str


@dataclass(frozen=True, slots=True)
class DrawnResiliency:
    """The section of a model card."""

    summary: str
    worth: WorthChart | None
    cohorts: tuple[CohortRow, ...]
    changes: IntervalChart | None
    fading: tuple[FeatureRow, ...]
    """Features whose decay is demonstrated, the fastest first."""
    lasting: int
    """How many other features teach something and were not seen to fade."""


def draw_resiliency(numbers: Mapping[str, Any]) -> DrawnResiliency:
    """The section for `resiliency` of a bundle's training facts."""
    cohorts = tuple(_cohort_row(each) for each in numbers["cohorts"])
    known = {name: each for name, each in numbers["features"].items() if each is not None}
    fading = {name: each for name, each in known.items() if each["is_demonstrated"]}
    rows = [FeatureRow(name, each["days"], _days(each)) for name, each in fading.items()]
    return DrawnResiliency(
        summary=_summary(numbers),
        worth=_worth(numbers) if numbers["partitions"] else None,
        cohorts=cohorts,
        changes=_changes(numbers["cohorts"]),
        fading=tuple(sorted(rows, key=lambda each: (each.days, each.name))[:MOST_FEATURES]),
        lasting=len(known) - len(fading),
    )


def _days(half_life: Mapping[str, Any]) -> str:
    days, low, high = (_number(half_life[name]) for name in ("days", "low", "high"))
    return f"{days} days [{low}, {high}]"


def _number(days: float | None) -> str:
    if days is None:
        return "no end"
    return f"{days:,.0f}" if days >= 100 else f"{days:.2g}"


def _summary(numbers: Mapping[str, Any]) -> str:
    half_life = numbers["half_life"]
    if half_life is None:
        return f"How fast this data ages cannot be told: {numbers['reason']} All slates count alike."
    if not half_life["is_demonstrated"]:
        return "No decay is demonstrated: old slates teach as much as new ones, and all count alike."
    told = f"Half of what a slate teaches no longer holds after {_days(half_life)}."
    if numbers["weights"] == "by age":
        return (
            f"{told} Older slates count less, as drawn; those older than {numbers['look_back_days']:g} days "
            "count below a tenth and could be left out."
        )
    change = numbers["weights_change_ndcg"]
    if change is None:
        return f"{told} Whether weights by age would help cannot be told, so all slates count alike."
    return (
        f"{told} Weights by age were tried and changed NDCG on later slates by {_change(change)}, so all "
        "slates count alike."
    )


def _change(change: Mapping[str, Any]) -> str:
    return f"{change['mean']:+.4f} [{change['low']:+.4f}, {change['high']:+.4f}]"


def _cohort_row(cohort: Mapping[str, Any]) -> CohortRow:
    change = cohort["ndcg_change"]
    return CohortRow(
        age=cohort["age"],
        items=cohort["items"],
        rows=cohort["rows"],
        share=cohort["share"],
        why=_why(change),
    )


def _why(change: Mapping[str, Any] | None) -> str:
    """The answer to: why do we still train on these?"""
    if change is None:
        return "nothing to compare with"
    if change["high"] < 0:
        return "they teach: slates are ordered worse without"
    if change["low"] > 0:
        return "no reason: slates are ordered better without"
    return "no reason seen: no change for certain without"


def _changes(cohorts: Sequence[Mapping[str, Any]]) -> IntervalChart | None:
    intervals = [
        Interval(each["age"], *(each["ndcg_change"][name] for name in ("mean", "low", "high")))
        for each in cohorts
        if each["ndcg_change"] is not None
    ]
    if not intervals:
        return None
    return lay_out(
        "What if we no longer trained on items of this age?",
        "change in NDCG on later slates, with 95 % intervals",
        intervals,
        [(0.0, "no change")],
        signed=True,
    )


def _worth(numbers: Mapping[str, Any]) -> WorthChart:
    spans = _spans(numbers["partitions"])
    is_weighted = numbers["weights"] == "by age"
    most = max(sum(each["rows"] for each in span) for span in spans)
    step = (RIGHT - LEFT) / len(spans)
    bars = tuple(
        _bar(span, LEFT + at * step, step, most, is_weighted=is_weighted) for at, span in enumerate(spans)
    )
    rows = sum(each["rows"] for each in numbers["partitions"])
    counted = sum(each["rows"] * (each["score"] if is_weighted else 1.0) for each in numbers["partitions"])
    every = -(-len(spans) // TICKS)
    chosen = range((len(spans) - 1) % every, len(spans), every)
    return WorthChart(
        conclusion=f"{rows:,} rows were learned from; they count as much as {counted:,.0f} new ones.",
        width=WIDTH,
        height=TOP + HEIGHT + AXIS,
        left=LEFT,
        right=RIGHT,
        axis_y=TOP + HEIGHT,
        bars=bars,
        ticks=tuple(
            Tick(round(LEFT + (at + 0.5) * step, 2), f"{spans[at][-1]['age_days']}") for at in chosen
        ),
        levels=tuple(Tick(TOP + HEIGHT * (1 - part), f"{most * part:,.0f}") for part in (0.0, 0.5, 1.0)),
    )


def _spans(partitions: Sequence[Mapping[str, Any]]) -> list[Sequence[Mapping[str, Any]]]:
    """Days, oldest first, or as many days at once as leave no more than `MOST_BARS`."""
    size = -(-len(partitions) // MOST_BARS)
    return [partitions[at : at + size] for at in range(0, len(partitions), size)]


def _bar(span: Sequence[Mapping[str, Any]], x: float, step: float, most: int, *, is_weighted: bool) -> Bar:
    rows = sum(each["rows"] for each in span)
    counted = sum(each["rows"] * (each["score"] if is_weighted else 1.0) for each in span)
    height, inner = HEIGHT * rows / most, HEIGHT * counted / most
    text = f"{span[0]['day']}: {rows:,} rows that count as {counted:,.0f}"
    return Bar(
        x=round(x + step * 0.1, 2),
        width=round(step * 0.8, 2),
        y=round(TOP + HEIGHT - height, 2),
        height=round(height, 2),
        counted_y=round(TOP + HEIGHT - inner, 2),
        counted_height=round(inner, 2),
        text=text,
    )
