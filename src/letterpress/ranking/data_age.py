"""How fast a training set becomes obsolete, and what its slates weigh for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from letterpress.datasets.training_set import MICROSECONDS_PER_HOUR, TrainingSet
from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.associations import associations
from letterpress.evaluation.resiliency import (
    FEWEST_WINDOWS,
    HalfLife,
    half_life_of,
    half_lives_by_feature,
)

Floats = NDArray[np.float64]
SLATES_A_WINDOW, MOST_WINDOWS = 30, 60
MOST_SLATES = 20_000
"""Slates that are looked at, evenly over time; the time does not grow with the log."""
SHORTEST_DAYS = 1.0
"""Within a day hours differ for other reasons than age."""
_MICROSECONDS_PER_DAY = 24.0 * MICROSECONDS_PER_HOUR


@dataclass(frozen=True, slots=True)
class DataAge:
    """The half-life of what a training set teaches."""

    overall: HalfLife | None = None
    """None where it cannot be told; `reason` then says why."""
    features: Mapping[str, HalfLife | None] = field(default_factory=dict)
    """Of each feature by itself; None where it teaches nothing."""
    windows: int = 0
    """How many windows of time it was told from."""
    reason: str = ""

    @property
    def weighs(self) -> bool:
        """Whether old slates are worth less: only where decay is demonstrated."""
        return self.overall is not None and self.overall.is_demonstrated

    def as_numbers(self) -> dict[str, Any]:
        """Numbers for the manifest and the card."""
        look_back = self.overall.look_back() if self.overall is not None and self.weighs else None
        return {
            "half_life": None if self.overall is None else self.overall.as_numbers(),
            "reason": self.reason,
            "windows": self.windows,
            "look_back_days": None if look_back is None else round(look_back, 1),
            "features": {
                name: None if each is None else each.as_numbers() for name, each in self.features.items()
            },
        }


def measure_data_age(part: TrainingSet) -> DataAge:
    """How fast `part` becomes obsolete; without a half-life where it is too small or teaches nothing."""
    with threadpool_limits(1, user_api="blas"):  # the bits must not depend on how many threads share a sum
        try:
            return _measure(sampled_over_time(part, MOST_SLATES))
        except NotEnoughDataError as error:
            return DataAge(reason=str(error))


def ages_in_days(part: TrainingSet) -> Floats:
    """How much older each slate `(g,)` is than the newest."""
    ages: Floats = (part.shown_at.max() - part.shown_at) / _MICROSECONDS_PER_DAY
    return ages


def weigh_by_age(part: TrainingSet, age: DataAge) -> TrainingSet:
    """The part with weights, 1 on average, that halve with every half-life; as it is without one."""
    if age.overall is None or not age.weighs:
        return part
    worth = age.overall.weights(ages_in_days(part))
    return replace(part, weights=worth / worth.mean())


def partition_scores(part: TrainingSet, age: DataAge) -> list[dict[str, Any]]:
    """For every day (UTC), oldest first: slates, rows, share of all rows, age, and the score in 0..1.

    The score is what a row of the day is worth beside one of the newest day.
    """
    days = part.shown_at // int(_MICROSECONDS_PER_DAY)
    sizes, newest = part.group_sizes, int(days.max())
    found = []
    for day in np.unique(days).tolist():
        mine = days == day
        rows = int(sizes[mine].sum())
        found.append(
            {
                "day": datetime.fromtimestamp(day * 86_400, UTC).date().isoformat(),
                "age_days": newest - day,
                "slates": int(mine.sum()),
                "rows": rows,
                "share": round(rows / part.rows, 6),
                "score": 1.0 if age.overall is None else score_at(age.overall, newest - day),
            }
        )
    return found


def score_at(half_life: HalfLife, age_days: float) -> float:
    """What something of that age is worth beside something new, 0..1.

    >>> score_at(HalfLife(7.0, 5.0, 9.0), 14)
    0.25
    """
    return round(float(half_life.weights(np.array([float(age_days)]))[0]), 4)


def sampled_over_time(part: TrainingSet, most: int) -> TrainingSet:
    """At most so many slates of the part, evenly over all of it."""
    step = -(-len(part) // most)
    return part if step == 1 else part.take(np.arange(len(part)) % step == 0)


def _measure(part: TrainingSet) -> DataAge:
    windows = min(len(part) // SLATES_A_WINDOW, MOST_WINDOWS)
    if windows < FEWEST_WINDOWS:
        raise NotEnoughDataError(
            f"expected at least {FEWEST_WINDOWS * SLATES_A_WINDOW} slates to see data age, found "
            f"{len(part)}; collect more of the log."
        )
    ages = ages_in_days(part)
    if ages.max() < SHORTEST_DAYS:
        raise NotEnoughDataError(
            f"expected slates of at least a day to see data age, found {ages.max() * 24:.1f} h; collect a "
            "longer log."
        )
    oldest_first = np.argsort(-ages, kind="stable")
    places = np.empty(len(part), np.int64)
    places[oldest_first] = np.arange(len(part)) * windows // len(part)
    times = -np.bincount(places, ages) / np.bincount(places)
    found = associations(part.features, part.gains, part.group_offsets, places)
    by_feature = half_lives_by_feature(found.slopes, times)
    return DataAge(
        overall=_rounded(half_life_of(found.components, times)),
        features=dict(zip(part.feature_names, by_feature, strict=True)),
        windows=windows,
    )


def _rounded(found: HalfLife) -> HalfLife:
    """To a thousandth of a day, so that the last bits of a sum do not reach the weights."""
    return HalfLife(round(found.days, 3), round(found.low, 3), round(found.high, 3))
