"""What a feature and a feature view are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from letterpress.features.columns import Columns
from letterpress.recommenders import Recommender

LABELS: dict[str, str] = {
    "audience": "tells of the recipients: their segment, or the devices they read on",
    "builder": "tells of the person who builds the e-mail: how fast they work",
    "shared": "counted over all tenants, so it tells one of the others",
}
"""How a feature may be sensitive."""

Fill = Callable[[Columns, NDArray[np.float32]], None]
"""Writes the features of a view into `(n_features, n_rows)` in place.

Every operation works row by row and is exact in IEEE arithmetic (no logarithms, no sums over rows), so
that a row has the same bits alone, among 24 and among a million.
"""


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature. `definition` says how its value comes about; changing it changes the schema hash."""

    name: str
    entity: str
    """What the value belongs to: `campaign`, `item`, or an entity of the snapshot."""
    unit: str
    description: str
    definition: str
    default: float = float("nan")
    """The value of a row of which nothing is known."""
    owner: str = "ranking"
    dtype: str = "float32"
    sensitivity: tuple[str, ...] = ()
    """Of `LABELS`; a tenant may deny all features with a label."""
    monotone: int = 0
    """1 where more of it must never lower a score, -1 where it must never raise one; all else being equal.
    It shapes models, not values, so it is no part of the schema hash."""


@dataclass(frozen=True, slots=True)
class FeatureView:
    """Features that are computed together, made for one recommender."""

    name: str
    features: tuple[Feature, ...]
    fill: Fill


MakeView = Callable[[Recommender], FeatureView]
