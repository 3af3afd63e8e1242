"""How well a picture variant fits this campaign: crosses of the two, and evidence from coarse to fine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.features.columns import Columns
from letterpress.features.evidence_view import ShrunkenRates
from letterpress.features.feature_view import Feature, FeatureView
from letterpress.recommenders import EvidenceRate, Recommender

_ON_PHONES = ("crop_share", "contrast", "edge_density")
"""Attributes that small screens reward or punish."""
_RATES = ("choose", "click")


def picture_fit_view(recommender: Recommender) -> FeatureView:
    """Attributes times the mobile share, then rates learned from coarse to fine and what each step adds.

    The enhancement's rate in the industry is the prior of the item's, which is that of the item's in the
    segment; a lift is the ratio of a rate to its prior.
    """
    rates = tuple(rate for rate in recommender.evidence_rates if rate.name in _RATES)
    shrunken = ShrunkenRates(rates)
    crossed = np.array([recommender.attributes.index(name) for name in _ON_PHONES], np.intp)
    mobile_share = len(recommender.vocabularies)
    n_crosses, n_rates = len(crossed), len(rates)
    starts = [n_crosses + step * n_rates for step in range(4)]

    def fill(columns: Columns, out: NDArray[np.float32]) -> None:
        share = columns.context[:, mobile_share, None]
        out[:, :n_crosses] = columns.attributes.take(crossed, axis=1) * share
        coarse = shrunken(columns.counts["enhancement_industry"])
        middle = shrunken.towards(coarse, columns.counts["item"])
        fine = shrunken.towards(middle, columns.counts["item_segment"])
        out[:, starts[0] : starts[1]] = fine
        out[:, starts[1] : starts[2]] = middle / coarse
        out[:, starts[2] : starts[3]] = fine / middle

    return FeatureView("picture_fit", (*_cross_features(), *_step_features(rates)), fill)


def _cross_features() -> list[Feature]:
    return [
        Feature(
            f"{name}_on_phones",
            "item",
            "1",
            f"{name} times the share of the audience that reads on a phone.",
            f"item.attributes.{name} * campaign.mobile_share",
        )
        for name in _ON_PHONES
    ]


def _step_features(rates: tuple[EvidenceRate, ...]) -> list[Feature]:
    steps = (
        ("fitted_{}_rate", "share", "{} rate here, learned from coarse to fine.", "fine"),
        (
            "item_{}_lift",
            "ratio",
            "{} rate of the item beside its enhancement's in the industry.",
            "middle / coarse",
        ),
        (
            "segment_{}_lift",
            "ratio",
            "{} rate of the item in the segment beside the item's.",
            "fine / middle",
        ),
    )
    return [
        Feature(
            name.format(rate.name),
            "item_segment",
            unit,
            description.format(rate.name.capitalize()),
            f"{definition} of ({rate.numerator} + prior * {rate.weight!r}) / "
            f"({rate.denominator} + {rate.weight!r}) from {rate.prior!r}",
            default=rate.prior if unit == "share" else 1.0,
        )
        for name, unit, description, definition in steps
        for rate in rates
    ]
