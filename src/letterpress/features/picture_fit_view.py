"""How well a picture variant fits this campaign: crosses of the two, and evidence from coarse to fine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.features.columns import Columns
from letterpress.features.evidence_view import ShrunkenRates
from letterpress.features.feature_view import Feature, FeatureView
from letterpress.features.sound_declaration import require_one_of
from letterpress.recommenders import EvidenceRate, Recommender

_ON_PHONES = ("crop_share", "contrast", "edge_density")
"""Attributes that small screens reward or punish."""
_RATES = ("choose", "click")
_STEPS = ("enhancement_industry", "item", "item_segment")
"""From coarse to fine."""


def picture_fit_view(recommender: Recommender) -> FeatureView:
    """Attributes times the mobile share, then rates learned from coarse to fine and what each step adds.

    The enhancement's rate in the industry is the prior of the item's, which is that of the item's in the
    segment; a lift is the ratio of a rate to its prior.

    Raises:
        ValueError: the recommender does not declare the attributes.
    """
    for name in _ON_PHONES:
        require_one_of(recommender, "attribute", name, recommender.attributes)
    rates = tuple(rate for rate in recommender.evidence_rates if rate.name in _RATES)
    shrunken = ShrunkenRates(recommender, [(step, rate, "birth") for step in _STEPS for rate in rates])
    believed = np.array([[rate.prior * rate.weight] for rate in rates], np.float64)
    weights = np.array([[rate.weight] for rate in rates], np.float64)
    crossed = np.array([recommender.attributes.index(name) for name in _ON_PHONES], np.intp)
    mobile_share = len(recommender.vocabularies)
    first, n = len(crossed), len(rates)

    def fill(columns: Columns, out: NDArray[np.float32]) -> None:
        out[:first] = columns.attributes.take(crossed, axis=0) * columns.context[mobile_share]
        numerators, denominators, _ = shrunken.count(columns.counts)
        coarse = (numerators[:n] + believed) / denominators[:n]
        middle = (numerators[n : 2 * n] + coarse * weights) / denominators[n : 2 * n]
        fine = (numerators[2 * n :] + middle * weights) / denominators[2 * n :]
        out[first : first + n] = fine
        out[first + n : first + 2 * n] = middle / coarse
        out[first + 2 * n :] = fine / middle

    return FeatureView("picture_fit", (*_cross_features(), *_step_features(rates)), fill)


def _cross_features() -> list[Feature]:
    return [
        Feature(
            f"{name}_on_phones",
            "item",
            "1",
            f"{name} times the share of the audience that reads on a phone.",
            f"item.attributes.{name} * campaign.mobile_share",
            sensitivity=("audience",),
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
            sensitivity=("audience", "shared"),
        )
        for name, unit, description, definition in steps
        for rate in rates
    ]
