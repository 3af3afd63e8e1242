"""Slates as XGBoost takes them: quantised features, gains, groups and weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from letterpress.datasets.training_set import TrainingSet

if TYPE_CHECKING:
    import xgboost


def slate_matrix(
    part: TrainingSet, *, is_listwise: bool, like: xgboost.QuantileDMatrix | None = None
) -> xgboost.QuantileDMatrix:
    """The matrix of `part`, cut at the quantiles of `like` where that is given.

    With `like` it is to be watched, not learned from, so its slates count alike. Else they count as much as
    they weigh: XGBoost wants a weight a group of a listwise objective, and a weight a row of others.
    """
    import xgboost

    matrix = xgboost.QuantileDMatrix(part.features, label=part.gains, ref=like, missing=np.nan)
    if is_listwise:
        matrix.set_group(part.group_sizes)
    if part.is_weighted and like is None:
        matrix.set_weight(part.weights if is_listwise else part.row_weights)
    return matrix
