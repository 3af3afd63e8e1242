"""The NDCG that stops training: ours, not XGBoost's."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from letterpress.datasets.training_set import TrainingSet
from letterpress.evaluation.ndcg import dcg_per_group

if TYPE_CHECKING:
    import xgboost

Floats = NDArray[np.float32]


def ndcg_metric(valid: TrainingSet, k: int) -> Callable[[Floats, xgboost.DMatrix], tuple[str, float]]:
    """The NDCG that we judge by; XGBoost's own breaks ties by the order of rows and stops at tied trees."""
    ideal = dcg_per_group(valid.gains, valid.gains, valid.group_offsets, k)
    some = ideal > 0

    def ndcg(scores: Floats, _matrix: xgboost.DMatrix) -> tuple[str, float]:
        gained = dcg_per_group(scores, valid.gains, valid.group_offsets, k)
        return "ndcg", float((gained[some] / ideal[some]).mean())

    return ndcg
