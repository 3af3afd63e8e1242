"""What was counted of an item: rates pulled towards a prior, and how much evidence stands behind them.

Counts are left as they are: a tree only asks on which side of a threshold a value lies, so a logarithm
would change no model, and it is not exact to the bit in every loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from letterpress.features.columns import Columns, count_row
from letterpress.features.feature_view import Feature, FeatureView
from letterpress.recommenders import EvidenceRate, Recommender

_WORDS = {
    "item": "the item",
    "item_segment": "the item in the campaign's segment",
    "enhancement_industry": "the enhancement in the campaign's industry, over all tenants",
}


class ShrunkenRates:
    """`(numerator + prior * weight) / (denominator + weight)` of several (entity, rate) pairs at once."""

    def __init__(self, recommender: Recommender, pairs: Sequence[tuple[str, EvidenceRate]]) -> None:
        def rows(counts: Iterable[tuple[str, str]]) -> NDArray[np.intp]:
            return np.array([count_row(recommender, *each) for each in counts], np.intp)

        self._numerators = rows((entity, rate.numerator) for entity, rate in pairs)
        self._denominators = rows((entity, rate.denominator) for entity, rate in pairs)
        self._believed = _upright([rate.prior * rate.weight for _, rate in pairs])
        self.weights = _upright([rate.weight for _, rate in pairs])

    def numerators(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Numerators `(n_pairs, n)` of `Columns.counts`, without the prior."""
        return counts.take(self._numerators, axis=0)

    def denominators(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Denominators `(n_pairs, n)` with the weight of the prior."""
        found = counts.take(self._denominators, axis=0)
        found += self.weights
        return found

    def __call__(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Rates `(n_pairs, n)`."""
        rates = self.numerators(counts)
        rates += self._believed
        rates /= self.denominators(counts)
        return rates


def _upright(values: list[float]) -> NDArray[np.float64]:
    return np.array(values, np.float64)[:, None]


def rate_name(entity: str, rate: EvidenceRate) -> str:
    """The name of the feature that holds `rate` of `entity`."""
    return f"{entity}_{rate.name}_rate"


def evidence_view(recommender: Recommender) -> FeatureView:
    """The rates of every entity, then the counts that stand below them.

    Rates of rare outcomes are kept of items only: finer entities never gather enough of them.
    """
    rates = [
        (entity, rate) for entity in recommender.evidence_entities for rate in _rates_of(recommender, entity)
    ]
    totals = list(dict.fromkeys((entity, rate.denominator) for entity, rate in rates))
    shrunken = ShrunkenRates(recommender, rates)
    rows = np.array([count_row(recommender, *total) for total in totals], np.intp)
    n_rates = len(rates)

    def fill(source: Columns, out: NDArray[np.float32]) -> None:
        out[:n_rates] = shrunken(source.counts)
        out[n_rates:] = source.counts.take(rows, axis=0)

    features = [_rate_feature(*each) for each in rates] + [_count_feature(*each) for each in totals]
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
