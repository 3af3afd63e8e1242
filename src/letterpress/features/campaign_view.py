"""The campaign that the slate is for: the same for all its items, so it acts through splits beside theirs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.features.columns import CONTEXT_NUMBERS, Columns
from letterpress.features.feature_view import Feature, FeatureView
from letterpress.recommenders import Recommender

_NUMBERS = {
    "mobile_share": ("share", "Share of the audience that reads on a phone."),
    "send_hour": ("hour", "UTC hour of the day at which the e-mail is to be sent."),
    "send_weekday": ("day", "UTC day of the week on which it is to be sent; Monday is 0."),
    "hours_to_send": ("hours", "From this slate to the sending."),
}


def _sensitivity(name: str) -> tuple[str, ...]:
    return ("audience",) if name in ("segment", "mobile_share") else ()


def campaign_view(recommender: Recommender) -> FeatureView:
    """A code for each declared label, then the numbers of the campaign."""
    codes = [
        Feature(
            f"{label}_code",
            "campaign",
            "code",
            f"The campaign's {label}.",
            f"code of {'|'.join(values)}",
            sensitivity=_sensitivity(label),
        )
        for label, values in recommender.vocabularies
    ]
    numbers = [
        Feature(name, "campaign", *_NUMBERS[name], f"campaign.{name}", sensitivity=_sensitivity(name))
        for name in CONTEXT_NUMBERS
    ]

    def fill(columns: Columns, out: NDArray[np.float32]) -> None:
        out[:] = columns.context

    return FeatureView("campaign", (*codes, *numbers), fill)
