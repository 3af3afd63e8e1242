"""What to simulate, and how the slates of a plan fall on its days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from letterpress.errors import UsageError
from letterpress.simulation.campaigns import DAY, Ints
from letterpress.simulation.scenarios import SCENARIOS, SEASONAL_STRENGTH
from letterpress.simulation.seasons import traffic_weights

MOST_DAYS, MOST_SLATES = 3_660, 10_000_000
"""Ten years, and what a small disk holds: a plan above is a slip of the hand."""
YEARS = range(1970, 2200)
PACKINGS = ("gz", "zst")
CHUNK_SLATES = 4_000
"""A chunk is what one process makes at a time; it bounds the memory."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to simulate. `start` lies on a full UTC hour.

    `drift_day` is the day (0 is the first) on which scenarios that drift begin to; the middle by default.
    """

    days: int
    slates: int
    seed: int
    scenario: str
    start: datetime
    drift_day: int | None = None
    packing: str = "gz"

    def __post_init__(self) -> None:
        if self.scenario not in SCENARIOS:
            raise UsageError(
                f"expected one of {', '.join(SCENARIOS)}; found {self.scenario!r}. Correct the name."
            )
        if self.packing not in PACKINGS:
            raise UsageError(f"expected a packing {' or '.join(PACKINGS)}, found {self.packing!r}.")
        if not (0 < self.days <= MOST_DAYS and 0 < self.slates <= MOST_SLATES and self.seed >= 0):
            raise UsageError(
                f"expected 1 to {MOST_DAYS:,} days, 1 to {MOST_SLATES:,} slates and a seed of 0 or more, "
                f"found {self.days} days, {self.slates} slates and seed {self.seed}; correct them."
            )
        if self.drift_day is not None and not 0 <= self.drift_day < self.days:
            raise UsageError(
                f"expected a drift day from 0 to {self.days - 1}, found {self.drift_day}; "
                "correct --drift-day."
            )
        if self.start.year not in YEARS:
            raise UsageError(
                f"expected a start from {YEARS[0]} to {YEARS[-1]}, found {self.start.year}; correct it."
            )
        if self.start.tzinfo is None or self.start.replace(minute=0, second=0, microsecond=0) != self.start:
            raise UsageError(
                f"expected a start on a full UTC hour, found {self.start.isoformat()}; cut it off."
            )

    @property
    def begin(self) -> int:
        """Milliseconds since the epoch."""
        return int(self.start.timestamp()) * 1000

    @property
    def end(self) -> int:
        return self.begin + self.days * DAY

    @property
    def first_drift_day(self) -> int:
        return self.days // 2 if self.drift_day is None else self.drift_day

    @property
    def drift_at(self) -> int:
        """The moment of the drift, milliseconds since the epoch."""
        return self.begin + self.first_drift_day * DAY

    @property
    def run(self) -> str:
        """Prefix of all ids, so that two simulated logs never share one."""
        return f"s{self.seed}-{self.start.astimezone(UTC):%Y%m%d%H}"

    def slates_by_day(self) -> list[int]:
        """How many slates are asked for on each day."""
        days: Ints = self.begin + np.arange(self.days) * DAY
        weights = traffic_weights(days, SEASONAL_STRENGTH if self.scenario == "seasonal" else 1.0)
        rng = np.random.default_rng((self.seed, 4))
        counts: list[int] = rng.multinomial(self.slates, weights / weights.sum()).tolist()
        return counts
