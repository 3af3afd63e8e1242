"""How fast the builder works in this session: requests, choices and edits a minute."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.events.session import SESSION_COUNTS, SESSION_SPAN
from letterpress.features.columns import Columns
from letterpress.features.feature_view import Feature, FeatureView
from letterpress.recommenders import Recommender

_MINUTE = 60_000_000.0
_SPAN = f"in the last {SESSION_SPAN.seconds // 60} minutes of the session"


def session_view(_recommender: Recommender) -> FeatureView:
    """Four numbers of the session before the request; missing where none is named, or nobody has counted."""
    age = SESSION_COUNTS.index("session_microseconds")

    def fill(columns: Columns, out: NDArray[np.float32]) -> None:
        counts = columns.session
        out[0] = counts[0]
        # In the first minute a rate is that of a whole minute: seconds after the first move it says nothing.
        out[1:] = counts[:age] * _MINUTE / np.maximum(counts[age], _MINUTE)

    rates = [
        _rate("requests", "Slates that were asked for"),
        _rate("choices", "Items that were chosen"),
        _rate("edits", "Items that were chosen or dismissed"),
    ]
    asked = Feature(
        "session_requests",
        "session",
        "count",
        f"Slates that were asked for {_SPAN}.",
        f"requests over {SESSION_SPAN}",
        sensitivity=("builder",),
    )
    return FeatureView("session", (asked, *rates), fill)


def _rate(name: str, what: str) -> Feature:
    return Feature(
        f"session_{name}_per_minute",
        "session",
        "1/minute",
        f"{what} a minute {_SPAN}.",
        f"{name} over {SESSION_SPAN} / max(1 minute, since the first request or edit of these)",
        sensitivity=("builder",),
    )
