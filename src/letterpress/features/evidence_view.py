"""What was counted of an item: rates pulled towards a prior, and how much evidence stands behind them.

Counts are left as they are: a tree only asks on which side of a threshold a value lies, so a logarithm
would change no model, and it is not exact to the bit in every loop.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.features.columns import COUNT_NAMES, Columns
from letterpress.features.feature_view import Feature, FeatureView
from letterpress.recommenders import EvidenceRate, Recommender

_WORDS = {
    "item": "the item",
    "item_segment": "the item in the campaign's segment",
    "enhancement_industry": "the enhancement in the campaign's industry, over all tenants",
}


class ShrunkenRates:
    """`(numerator + prior * weight) / (denominator + weight)` of several rates at once."""

    def __init__(self, rates: tuple[EvidenceRate, ...]) -> None:
        self.numerators = np.array([COUNT_NAMES.index(rate.numerator) for rate in rates], np.intp)
        self.denominators = np.array([COUNT_NAMES.index(rate.denominator) for rate in rates], np.intp)
        self.believed = np.array([rate.prior * rate.weight for rate in rates], np.float64)
        self.weights = np.array([rate.weight for rate in rates], np.float64)

    def __call__(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Rates `(n, n_rates)` of counts `(n, 6)`."""
        numerators = counts.take(self.numerators, axis=1) + self.believed
        return np.divide(numerators, counts.take(self.denominators, axis=1) + self.weights)

    def towards(self, prior: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """The same, pulled towards `prior` `(n, n_rates)` instead of the declared one."""
        numerators = counts.take(self.numerators, axis=1) + prior * self.weights
        return np.divide(numerators, counts.take(self.denominators, axis=1) + self.weights)


def rate_name(entity: str, rate: EvidenceRate) -> str:
    """The name of the feature that holds `rate` of `entity`."""
    return f"{entity}_{rate.name}_rate"


def evidence_view(recommender: Recommender) -> FeatureView:
    """For each entity its rates, then the counts that stand below them.

    Rates of rare outcomes are kept of items only: finer entities never gather enough of them.
    """
    plans = []
    features: list[Feature] = []
    for entity in recommender.evidence_entities:
        rates = _rates_of(recommender, entity)
        totals = tuple(dict.fromkeys(rate.denominator for rate in rates))
        described = [_rate_feature(entity, rate) for rate in rates]
        described += [_count_feature(entity, total) for total in totals]
        columns = np.array([COUNT_NAMES.index(total) for total in totals], np.intp)
        first, middle = len(features), len(features) + len(rates)
        features += described
        plans.append((entity, ShrunkenRates(rates), columns, first, middle, len(features)))

    def fill(columns: Columns, out: NDArray[np.float32]) -> None:
        for entity, shrunken, totals, first, middle, end in plans:
            counts = columns.counts[entity]
            out[:, first:middle] = shrunken(counts)
            out[:, middle:end] = counts.take(totals, axis=1)

    return FeatureView("evidence", tuple(features), fill)


def _rates_of(recommender: Recommender, entity: str) -> tuple[EvidenceRate, ...]:
    if entity == "item":
        return recommender.evidence_rates
    return tuple(rate for rate in recommender.evidence_rates if rate.name in ("choose", "click"))


def _rate_feature(entity: str, rate: EvidenceRate) -> Feature:
    return Feature(
        rate_name(entity, rate),
        entity,
        "share",
        f"How often {_WORDS[entity]} was {rate.numerator} of {rate.denominator}.",
        f"({rate.numerator} + {rate.prior!r} * {rate.weight!r}) / ({rate.denominator} + {rate.weight!r})",
        default=rate.prior,
    )


def _count_feature(entity: str, total: str) -> Feature:
    return Feature(
        f"{entity}_{total}", entity, "count", f"How often {_WORDS[entity]} was {total}.", total, default=0.0
    )
