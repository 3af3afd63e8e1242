"""How the features of what a model learned from lie: what later values are held against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from letterpress.datasets.training_set import TrainingSet
from letterpress.evaluation.stability import Spread, spread_of

ROWS = 20_000
"""Rows that are looked at, evenly over all of them."""


def feature_baseline(learned: TrainingSet) -> dict[str, dict[str, list[float]]]:
    """`levels` and `counts` of a `Spread` by feature, for a bundle's manifest."""
    rows = np.unique(np.linspace(0, learned.rows - 1, min(ROWS, learned.rows)).astype(np.int64))
    values = np.asarray(learned.features[rows])
    return {
        name: {"levels": list(spread.levels), "counts": list(spread.counts)}
        for name, spread in zip(learned.feature_names, map(spread_of, values.T), strict=True)
    }


def read_baseline(training: Mapping[str, Any]) -> dict[str, Spread]:
    """The spreads in a bundle's training facts; none of a bundle that was made without."""
    return {
        name: Spread(tuple(each["levels"]), tuple(each["counts"]))
        for name, each in training.get("baseline", {}).items()
    }
