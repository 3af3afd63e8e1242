"""How much of what was counted of an item is still worth something: the resiliency score of its evidence.

A span of the past is worth `2 ** (-age / half-life)` of a new one. The score is the mean of that over all
that was counted: 1 for what was counted now, towards 0 for what is old. The half-life is declared with the
rate; a training run tells which it measured.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.features.columns import Columns
from letterpress.features.evidence_view import CountedTotals, Total, over_window
from letterpress.features.feature_view import Feature, FeatureView
from letterpress.recommenders import EvidenceRate, Recommender

_RATES = ("choose", "click")
"""Those that the others are far rarer than, so that what they were counted of is told by these."""


def resiliency_view(recommender: Recommender) -> FeatureView:
    """The score of what the item's rates of choosing and clicking were counted of."""
    rates = [rate for rate in recommender.evidence_rates if rate.name in _RATES]
    decayed: list[Total] = [("item", rate.denominator, "decayed", rate.half_life_days) for rate in rates]
    whole: list[Total] = [("item", rate.denominator, "birth", 0.0) for rate in rates]
    counted = CountedTotals(recommender, [*decayed, *whole])
    n = len(rates)

    def fill(columns: Columns, out: NDArray[np.float32]) -> None:
        found = counted(columns.counts)
        worth, evidence = found[:n], found[n:]
        out[:] = np.divide(worth, evidence, out=np.zeros_like(worth), where=evidence > 0.0)

    return FeatureView("resiliency", tuple(_feature(rate) for rate in rates), fill)


def _feature(rate: EvidenceRate) -> Feature:
    decayed = over_window("decayed", rate.half_life_days)
    return Feature(
        f"item_{rate.denominator}_resiliency",
        "item",
        "share",
        f"How much of what the item was {rate.denominator} is still worth something.",
        f"({rate.denominator}{decayed}) / {rate.denominator}; 0 of none",
        default=0.0,
    )
