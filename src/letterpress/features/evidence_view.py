"""What was counted of an item: rates pulled towards a prior, and how much evidence stands behind them.

A rate is read since birth, over a window of whole days, or decayed: the counts of each span between two
windows weigh less the older they are. Counts are left as they are: a tree only asks on which side of a
threshold a value lies, so a logarithm would change no model, and it is not exact to the bit in every loop.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from letterpress.features.columns import WINDOWS, Columns, count_row
from letterpress.features.feature_view import Feature, FeatureView
from letterpress.recommenders import EvidenceRate, Recommender, Window

Reading = tuple[str, EvidenceRate, Window]
"""An entity, what is read of it, and over which window."""
Total = tuple[str, str, Window, float]
"""An entity, a count, over which window, and the half-life in days where that is decayed."""

ENTITY_WORDS = {
    "item": "the item",
    "item_segment": "the item in the campaign's segment",
    "enhancement_industry": "the enhancement in the campaign's industry, over all tenants,",
    "enhancement": "the enhancement, over all tenants,",
    "tenant": "any item of the tenant",
    "send_hour": "any item that the tenant sends at this hour of the day",
}
_SPANS: dict[Window, str] = {
    "birth": "",
    "28d": " in the last 28 days and today",
    "7d": " in the last 7 days and today",
    "1d": " yesterday and today",
    "decayed": ", the older the less",
}
_AGES_DAYS = (0.75, 4.5, 18.0, 45.0)
"""How old on the whole what was counted is: in the window of a day, and between each window and the next."""


def decay_weights(half_life_days: float) -> tuple[float, ...]:
    """What a count of each of `_AGES_DAYS` weighs; rounded, so that every machine has the same bits.

    >>> decay_weights(4.5)
    (0.890899, 0.5, 0.0625, 0.000977)
    """
    return tuple(round(0.5 ** (age / half_life_days), 6) for age in _AGES_DAYS)


class CountedTotals:
    """Counts `(n, rows)` of several (entity, count, window) at once."""

    def __init__(self, recommender: Recommender, wanted: Sequence[Total]) -> None:
        def rows(which: Sequence[tuple[str, str]], window: str) -> NDArray[np.intp]:
            return np.array([count_row(recommender, *each, window) for each in which], np.intp)

        decayed = [(entity, count) for entity, count, window, _ in wanted if window == "decayed"]
        self._plain = np.array(
            [
                count_row(recommender, entity, count, "birth" if window == "decayed" else window)
                for entity, count, window, _ in wanted
            ],
            np.intp,
        )
        self._places = np.array([at for at, each in enumerate(wanted) if each[2] == "decayed"], np.intp)
        self._windows = [rows(decayed, window) for window in reversed(WINDOWS)] if decayed else []
        weights = [decay_weights(each[3]) for each in wanted if each[2] == "decayed"]
        self._weights = [_upright(list(column)) for column in zip(*weights, strict=True)]

    def __call__(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        found = counts.take(self._plain, axis=0)
        if self._windows:
            inner = counts.take(self._windows[0], axis=0)
            total = inner * self._weights[0]
            for rows, weight in zip(self._windows[1:], self._weights[1:], strict=True):
                outer = counts.take(rows, axis=0)
                total += (outer - inner) * weight
                inner = outer
            found[self._places] = total
        return found


class ShrunkenRates:
    """`(numerator + prior * weight) / (denominator + weight)` of several readings, and `totals`, at once."""

    def __init__(
        self, recommender: Recommender, readings: Sequence[Reading], totals: Sequence[Total] = ()
    ) -> None:
        def wanted(name: str) -> list[Total]:
            return [
                (entity, getattr(rate, name), window, rate.half_life_days)
                for entity, rate, window in readings
            ]

        self._n = len(readings)
        self._counted = CountedTotals(recommender, [*wanted("numerator"), *wanted("denominator"), *totals])
        self._believed = _upright([rate.prior * rate.weight for _, rate, _ in readings])
        self._weights = _upright([rate.weight for _, rate, _ in readings])

    def count(
        self, counts: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Numerators without the prior, denominators with its weight, and totals.

        Each `(as many, n)`, of `Columns.counts`.
        """
        found = self._counted(counts)
        denominators = found[self._n : 2 * self._n]
        denominators += self._weights
        return found[: self._n], denominators, found[2 * self._n :]

    def __call__(self, counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Rates `(n_readings, n)` and totals `(n_totals, n)`."""
        rates, denominators, totals = self.count(counts)
        rates += self._believed
        rates /= denominators
        return rates, totals


def _upright(values: list[float]) -> NDArray[np.float64]:
    return np.array(values, np.float64)[:, None]


def _suffix(window: Window) -> str:
    return "" if window == "birth" else f"_{window}"


def rate_name(entity: str, rate: EvidenceRate, window: Window = "birth") -> str:
    """The name of the feature that holds `rate` of `entity`."""
    return f"{entity}_{rate.name}_rate{_suffix(window)}"


def evidence_view(recommender: Recommender) -> FeatureView:
    """The rates of every entity and window, then the counts that stand below them.

    Rates of rare outcomes are kept of items only: finer entities never gather enough of them.
    """
    readings: list[Reading] = [
        (entity, rate, window)
        for entity in recommender.evidence_entities
        for rate in _rates_of(recommender, entity)
        for window in rate.windows_of(entity)
    ]
    totals = list(
        dict.fromkeys(
            (entity, rate.denominator, window, rate.half_life_days if window == "decayed" else 0.0)
            for entity, rate, window in readings
        )
    )
    shrunken = ShrunkenRates(recommender, readings, totals)
    n_rates = len(readings)

    def fill(source: Columns, out: NDArray[np.float32]) -> None:
        out[:n_rates], out[n_rates:] = shrunken(source.counts)

    features = [_rate_feature(*each) for each in readings] + [_count_feature(*each) for each in totals]
    return FeatureView("evidence", tuple(features), fill)


SENSITIVITY: dict[str, tuple[str, ...]] = {
    "item_segment": ("audience",),
    "enhancement_industry": ("shared",),
    "enhancement": ("shared",),
}
"""Labels of what is counted by an entity."""


def _rates_of(recommender: Recommender, entity: str) -> tuple[EvidenceRate, ...]:
    if entity == "item":
        return recommender.evidence_rates
    return tuple(rate for rate in recommender.evidence_rates if rate.name in ("choose", "click"))


def over_window(window: Window, half_life_days: float) -> str:
    """How a window is part of a definition; changing a weight changes the schema hash."""
    if window == "birth":
        return ""
    if window != "decayed":
        return f" over {window}"
    weights = " ".join(map(repr, decay_weights(half_life_days)))
    return f" over 1d, 7d - 1d, 28d - 7d, birth - 28d times {weights}"


def _rate_feature(entity: str, rate: EvidenceRate, window: Window) -> Feature:
    return Feature(
        rate_name(entity, rate, window),
        entity,
        "share",
        f"How often {ENTITY_WORDS[entity]} was {rate.numerator} of {rate.denominator}{_SPANS[window]}.",
        f"({rate.numerator} + {rate.prior!r} * {rate.weight!r}) / ({rate.denominator} + {rate.weight!r})"
        + over_window(window, rate.half_life_days),
        default=rate.prior,
        sensitivity=SENSITIVITY.get(entity, ()),
    )


def _count_feature(entity: str, total: str, window: Window, half_life_days: float) -> Feature:
    return Feature(
        f"{entity}_{total}{_suffix(window)}",
        entity,
        "count",
        f"How often {ENTITY_WORDS[entity]} was {total}{_SPANS[window]}.",
        total + over_window(window, half_life_days),
        default=0.0,
        sensitivity=SENSITIVITY.get(entity, ()),
    )
