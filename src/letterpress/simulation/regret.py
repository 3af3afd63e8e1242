"""How far served slates fall short of the best ones, by hour of data time, against two reference lines.

The value of a slate is what its places are expected to bring: the sum over positions of the probability
that a builder looks there times the item's true click rate. Regret is the share of the best slate's value
that was missed, summed over slates before it is divided, so that a slate weighs what it can bring.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from letterpress.images.enhancements import VARIANTS
from letterpress.simulation.behaviour import SLATE_SIZE, examination
from letterpress.simulation.campaigns import HOUR, Slates
from letterpress.simulation.world import Floats, World, click_rates

_WEIGHTS = examination(np.arange(1, SLATE_SIZE + 1))


@dataclass(frozen=True, slots=True)
class References:
    """What the slates of a day are measured against; all (n_slates,)."""

    best: Floats
    """Value of the best order of the picture's variants."""
    best_top: Floats
    """Click rate of the best variant."""
    popular: Floats
    """Value of the order by click rate over all contexts of the tenant's day: the best without context."""
    random: Floats
    """Expected value of a uniform shuffle."""


def slate_value(rates: Floats) -> float:
    """Value of one slate whose items have the true click `rates`, by position; an empty one is worth 0."""
    size = min(len(rates), SLATE_SIZE)
    return float(rates[:size] @ _WEIGHTS[:size])


def find_references(world: World, slates: Slates) -> References:
    """The best, the context-free and the random slates for the contexts of `slates`."""
    variants = slates.picture[:, None] * len(VARIANTS) + np.arange(len(VARIANTS))
    rates = click_rates(world, variants, slates.segment, slates.industry, slates.campaign_type)
    descending = -np.sort(-rates, axis=1)
    by_popularity = np.argsort(-_mean_rates(world, slates), axis=1, kind="stable")[:, :SLATE_SIZE]
    return References(
        best=descending[:, :SLATE_SIZE] @ _WEIGHTS,
        best_top=descending[:, 0],
        popular=np.take_along_axis(rates, by_popularity, 1) @ _WEIGHTS,
        random=rates.mean(1) * _WEIGHTS.sum(),
    )


def _mean_rates(world: World, slates: Slates) -> Floats:
    """(n_slates, n_variants): mean click rates of each slate's variants over its tenant's contexts."""
    means = np.empty((len(slates), len(VARIANTS)))
    for tenant in np.unique(slates.tenant).tolist():
        mine = np.flatnonzero(slates.tenant == tenant)
        contexts = np.stack([slates.segment[mine], slates.industry[mine], slates.campaign_type[mine]])
        kinds, counts = np.unique(contexts, axis=1, return_counts=True)
        pictures, places = np.unique(slates.picture[mine], return_inverse=True)
        items = (pictures[:, None] * len(VARIANTS) + np.arange(len(VARIANTS))).ravel()
        rates = click_rates(world, np.broadcast_to(items, (kinds.shape[1], len(items))), *kinds)
        mean = np.average(rates, axis=0, weights=counts).reshape(len(pictures), len(VARIANTS))
        means[mine] = mean[places]
    return means


@dataclass
class HourOfRegret:
    """Sums over the slates of one hour of data time."""

    slates: int = 0
    failed: int = 0
    shown: float = 0.0
    best: float = 0.0
    top: float = 0.0
    best_top: float = 0.0
    popular: float = 0.0
    random: float = 0.0
    models: Counter[str] = field(default_factory=Counter)

    def to_row(self) -> dict[str, Any]:
        """Figures of a report; regrets are shares, None where no slate was shown."""
        return {
            "slates": self.slates,
            "failed": self.failed,
            "regret": _missed(self.shown, self.best),
            "top_regret": _missed(self.top, self.best_top),
            "popularity_regret": _missed(self.popular, self.best),
            "random_regret": _missed(self.random, self.best),
            "models": dict(sorted(self.models.items())),
        }


def _missed(value: float, best: float) -> float | None:
    return None if best == 0 else 1.0 - value / best


@dataclass
class RegretByHour:
    """Collects served slates; rows come out in the order of time, then everything together."""

    hours: dict[int, HourOfRegret] = field(default_factory=dict)
    by_model: dict[str, HourOfRegret] = field(default_factory=dict)
    total: HourOfRegret = field(default_factory=HourOfRegret)

    def add(self, at: int, model: str, rates: Floats, references: References, row: int) -> None:
        """A slate shown at `at` (milliseconds since the epoch) by `model`; `rates` by position."""
        value = slate_value(rates)
        for sums in (self._hour(at), self.by_model.setdefault(model, HourOfRegret()), self.total):
            sums.slates += 1
            sums.shown += value
            sums.top += float(rates[0]) if len(rates) else 0.0
            sums.best += float(references.best[row])
            sums.best_top += float(references.best_top[row])
            sums.popular += float(references.popular[row])
            sums.random += float(references.random[row])
            sums.models[model] += 1

    def add_failure(self, at: int) -> None:
        """A slate that should have been shown at `at` and was not: it is counted, and has no regret."""
        for sums in (self._hour(at), self.total):
            sums.failed += 1

    def rows(self) -> list[dict[str, Any]]:
        """A row an hour in which something was asked."""
        return [{"hour": _hour_name(hour)} | sums.to_row() for hour, sums in sorted(self.hours.items())]

    def model_rows(self) -> dict[str, dict[str, Any]]:
        return {
            model: {key: value for key, value in sums.to_row().items() if key not in ("failed", "models")}
            for model, sums in sorted(self.by_model.items())
        }

    def _hour(self, at: int) -> HourOfRegret:
        return self.hours.setdefault(at // HOUR, HourOfRegret())


def _hour_name(hour: int) -> str:
    return f"{datetime.fromtimestamp(hour * HOUR / 1000, UTC):%Y-%m-%dT%H}"


def format_table(rows: Sequence[dict[str, Any]], total: dict[str, Any]) -> str:
    """Rows for people: shares in percent, `-` where nothing was shown."""
    head = f"{'hour (UTC)':<14}{'slates':>8}{'failed':>8}{'regret':>9}{'top':>9}{'popular':>9}{'random':>9}"
    lines = [_format_row(row["hour"], row) for row in rows]
    return "\n".join([head, *lines, _format_row("all", total)])


def _format_row(name: str, row: dict[str, Any]) -> str:
    names = ("regret", "top_regret", "popularity_regret", "random_regret")
    shares = "".join(f"{'-' if row[each] is None else f'{row[each]:.2%}':>9}" for each in names)
    return f"{name:<14}{row['slates']:>8,}{row['failed']:>8,}{shares}"
