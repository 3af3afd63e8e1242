"""What a text says and how it says it: counts, and the numbers of a sentence model where it is installed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from letterpress.features.columns import Columns
from letterpress.features.feature_view import Feature, FeatureView
from letterpress.features.sentence_model import DIMENSIONS, sentence_vectors
from letterpress.features.sound_declaration import MEND
from letterpress.features.text_counts import TEXT_COUNTS, count_text
from letterpress.recommenders import Recommender

SENTENCE_PREFIX = "sentence_"


def text_view(recommender: Recommender) -> FeatureView:
    """Counts of the item's text; all missing where it has none.

    Raises:
        ValueError: the recommender declares no text.
    """
    features = tuple(
        Feature(
            each.name,
            "item",
            each.unit,
            each.description,
            f"{each.description} of labels.{_label(recommender)}",
        )
        for each in TEXT_COUNTS
    )

    def fill(columns: Columns, out: NDArray[np.float32]) -> None:
        for row, text in enumerate(columns.texts):
            out[:, row] = count_text(text) if text else np.nan

    return FeatureView("text", features, fill)


def sentence_view(recommender: Recommender) -> FeatureView:
    """The text as a point among sentences; missing where there is no text or no model to place it."""
    features = tuple(
        Feature(
            f"{SENTENCE_PREFIX}{number:03}",
            "item",
            "1",
            f"Direction {number} of the mean of the sentence model's layers.",
            f"mean of unit layer means of all-MiniLM-L6-v2 of labels.{_label(recommender)}",
        )
        for number in range(DIMENSIONS)
    )

    def fill(columns: Columns, out: NDArray[np.float32]) -> None:
        out[:] = sentence_vectors(columns.texts).T

    return FeatureView("sentence", features, fill)


def _label(recommender: Recommender) -> str:
    if recommender.text_label is None:
        raise ValueError(f"expected {recommender.name} to declare the label of its text, found none; {MEND}")
    return recommender.text_label
