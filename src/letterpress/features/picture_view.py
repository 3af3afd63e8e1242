"""What an item is: its declared attributes, and codes of its declared labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.features.columns import Columns
from letterpress.features.feature_view import Feature, FeatureView
from letterpress.recommenders import Recommender


def attributes_view(recommender: Recommender, name: str = "attributes") -> FeatureView:
    """One feature for each attribute and item label that the recommender declares."""
    numbers = [
        Feature(each, "item", "1", f"The item's attribute {each}.", f"item.attributes.{each}")
        for each in recommender.attributes
    ]
    codes = [
        Feature(f"{label}_code", "item", "code", f"The item's {label}.", f"code of {'|'.join(values)}")
        for label, values in recommender.item_vocabularies
    ]
    n_numbers = len(numbers)

    def fill(columns: Columns, out: NDArray[np.float32]) -> None:
        out[:n_numbers] = columns.attributes
        out[n_numbers:] = columns.item_codes

    return FeatureView(name, (*numbers, *codes), fill)


def picture_view(recommender: Recommender) -> FeatureView:
    """The visual features of a picture variant, and which enhancement made it."""
    return attributes_view(recommender, "picture")
