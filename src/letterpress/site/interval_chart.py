"""Lays out a chart of means with their intervals: one row each, one axis, direct labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

LABEL_WIDTH = 136
PLOT_WIDTH = 430
VALUE_WIDTH = 206
ROW_HEIGHT = 34
AXIS_HEIGHT = 50
TOP = 8


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the bounds of its interval, and the name under which it is drawn."""

    label: str
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    y: float
    low_x: float
    mean_x: float
    high_x: float
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line and the side on which its name stands: two that are near never overlap."""

    x: float
    text: str
    on_the_left: bool


@dataclass(frozen=True, slots=True)
class IntervalChart:
    """Everything that the template draws, in pixels of its view box."""

    title: str
    axis: str
    width: float
    height: float
    axis_y: float
    left: float
    right: float
    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    """Vertical lines with a name: zero, or the bar that must be cleared."""


def choose_step(span: float, most: int = 6) -> float:
    """The smallest of 1, 2, 2.5 or 5 times a power of ten that gives at most `most` steps in `span`.

    >>> choose_step(0.11)
    0.02
    >>> choose_step(3.0)
    0.5
    """
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if span / (factor * power) <= most)


def _round_range(low: float, high: float) -> tuple[float, float, float]:
    """First tick, last tick and step around `low` and `high`, with air that never reaches below zero."""
    span = max(high - low, 1e-9 + abs(high) * 1e-6)
    step = choose_step(span * 1.1)
    first = math.floor((low - span * 0.04) / step) * step
    if low >= 0:
        first = max(first, 0.0)
    return first, math.ceil((high + span * 0.04) / step) * step, step


def _decimals(step: float) -> int:
    digits = f"{step:.10f}".rstrip("0")
    return len(digits.partition(".")[2])


def lay_out(
    title: str,
    axis: str,
    intervals: Sequence[Interval],
    marks: Sequence[tuple[float, str]] = (),
    *,
    signed: bool = False,
) -> IntervalChart:
    """The layout of `intervals`, top to bottom; the axis covers them and `marks` and may not start at zero.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not intervals:
        raise ValueError("expected at least one interval to draw, found none; leave the chart out")
    values = [value for each in intervals for value in (each.low, each.high)] + [value for value, _ in marks]
    first, last, step = _round_range(min(values), max(values))
    sign = "+" if signed else ""

    def place(value: float) -> float:
        return round(LABEL_WIDTH + (value - first) / (last - first) * PLOT_WIDTH, 2)

    rows = tuple(
        Row(
            each.label,
            TOP + ROW_HEIGHT * (index + 0.5),
            place(each.low),
            place(each.mean),
            place(each.high),
            f"{each.mean:{sign}.4f} [{each.low:{sign}.4f}, {each.high:{sign}.4f}]",
        )
        for index, each in enumerate(intervals)
    )
    leftmost = min((value for value, _ in marks), default=0.0)
    count = round((last - first) / step)
    ticks = [first + step * index for index in range(count + 1)]
    return IntervalChart(
        title=title,
        axis=axis,
        width=LABEL_WIDTH + PLOT_WIDTH + VALUE_WIDTH,
        height=TOP + ROW_HEIGHT * len(intervals) + AXIS_HEIGHT + (16 if marks else 0),
        axis_y=TOP + ROW_HEIGHT * len(intervals) + (16 if marks else 0),
        left=LABEL_WIDTH,
        right=LABEL_WIDTH + PLOT_WIDTH,
        rows=rows,
        ticks=tuple(Tick(place(value), f"{value:.{_decimals(step)}f}") for value in ticks),
        marks=tuple(Mark(place(value), name, value == leftmost) for value, name in marks),
    )
