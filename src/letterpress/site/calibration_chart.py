"""Lays out what was told against what happened, one dot a bin, on a square with a diagonal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from letterpress.site.interval_chart import Tick, choose_step

SIDE, LEFT, TOP, AXIS, MARGIN = 260.0, 64.0, 10.0, 52.0, 26.0
MOST_LABELS = 4
MOST_RADIUS = 8.0


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    radius: float
    """Its area grows with the trials."""
    text: str


@dataclass(frozen=True, slots=True)
class CalibrationChart:
    """Everything that the template draws, in pixels of its view box."""

    target: str
    conclusion: str
    width: float
    height: float
    left: float
    top: float
    side: float
    dots: tuple[Dot, ...]
    ticks: tuple[Tick, ...]
    """Along both axes: `x` counts from the lower left corner."""


def draw_calibration(target: str, numbers: Mapping[str, Any]) -> CalibrationChart:
    """The chart of one target's entry under `calibration` in a verdict's numbers."""
    predicted, observed, trials = numbers["predicted"], numbers["observed"], numbers["trials"]
    largest = max(*predicted, *observed, 1e-9)
    step = choose_step(largest)
    end = step * math.ceil(largest / step - 1e-9)
    most = max(trials)

    def along(value: float) -> float:
        return float(round(value / end * SIDE, 2))

    dots = tuple(
        Dot(
            LEFT + along(told),
            TOP + SIDE - along(seen),
            round(max(2.5, MOST_RADIUS * math.sqrt(count / most)), 2),
            f"told {_percent(told)}, happened {_percent(seen)} of {count:,.0f}",
        )
        for told, seen, count in zip(predicted, observed, trials, strict=True)
    )
    spans = round(end / step)
    every = math.ceil(spans / MOST_LABELS)
    ticks = tuple(
        Tick(along(step * at), _percent(step * at) if at % every == 0 else "") for at in range(spans + 1)
    )
    conclusion = (
        f"Rates of {target.replace('_', ' ')} are off by {numbers['relative_error']:.1%} of what happened on "
        f"average [{numbers['low']:.1%}, {numbers['high']:.1%}] on slates that the model did not learn from. "
        "A dot on the line was told exactly."
    )
    return CalibrationChart(
        target, conclusion, LEFT + SIDE + MARGIN, TOP + SIDE + AXIS, LEFT, TOP, SIDE, dots, ticks
    )


def _percent(rate: float) -> str:
    """Three digits, as small rates have theirs far behind the point.

    >>> _percent(0.00025), _percent(0.5)
    ('0.025%', '50%')
    """
    return f"{100 * rate:.3g}%"
