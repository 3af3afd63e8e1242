"""When the e-mail is to be sent, as people live: working hours, weekends, how far from noon."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.features.columns import CONTEXT_NUMBERS, Columns
from letterpress.features.feature_view import Feature, FeatureView
from letterpress.recommenders import Recommender

_FIRST_HOUR, _LAST_HOUR, _NOON, _SATURDAY = 8.0, 17.0, 12.0, 5.0


def send_time_view(recommender: Recommender) -> FeatureView:
    """Three numbers of the time of sending, UTC; missing where none is planned."""
    first = len(recommender.vocabularies)
    hour_row = first + CONTEXT_NUMBERS.index("send_hour")
    day_row = first + CONTEXT_NUMBERS.index("send_weekday")

    def fill(columns: Columns, out: NDArray[np.float32]) -> None:
        hour, day = columns.context[hour_row], columns.context[day_row]
        is_missing = np.isnan(hour)
        out[0] = np.where(is_missing, np.nan, (hour >= _FIRST_HOUR) & (hour <= _LAST_HOUR))
        out[1] = np.where(is_missing, np.nan, day >= _SATURDAY)
        out[2] = np.abs(hour - _NOON)

    features = (
        Feature(
            "sent_in_office_hours", "campaign", "0/1", "Whether it is sent from 8 to 17 h.", "8 <= hour <= 17"
        ),
        Feature("sent_at_weekend", "campaign", "0/1", "Whether it is sent on a weekend.", "weekday >= 5"),
        Feature("hours_from_noon", "campaign", "hours", "From noon to the sending.", "|hour - 12|"),
    )
    return FeatureView("send_time", features, fill)
