"""The objective that shares a slate's gain out among its items: a gradient of our own (ADR 0050).

The loss of a slate is the cross-entropy between what its items gained and the softmax of their scores.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from letterpress.datasets.training_set import TrainingSet
from letterpress.machine_code import compile_loop

if TYPE_CHECKING:
    import xgboost

Floats = NDArray[np.float32]


def slate_softmax(part: TrainingSet) -> Callable[[Floats, xgboost.DMatrix], tuple[Floats, Floats]]:
    """What XGBoost asks for after each tree: gradient and curvature `(n,)` of the rows of `part`.

    A slate counts by what its items gained together, times its weight; one without gain teaches nothing.
    Slates are summed one by one in the order of their rows, so the bits do not depend on threads.
    """
    fill = compile_loop(_fill_gradient, _try_fill)
    weights = part.slate_weights

    def gradient(scores: Floats, _matrix: xgboost.DMatrix) -> tuple[Floats, Floats]:
        slopes, curvatures = np.empty((2, part.rows), np.float32)
        fill(scores, part.gains, part.group_offsets, weights, slopes, curvatures)
        return slopes, curvatures

    return gradient


def _fill_gradient(
    scores: Floats,
    gains: Floats,
    group_offsets: NDArray[np.int64],
    weights: NDArray[np.float64],
    slopes: Floats,
    curvatures: Floats,
) -> None:
    """Write the derivatives of `sum(gain) * log(sum(exp(score))) - sum(gain * score)` of each slate."""
    for slate in range(len(group_offsets) - 1):
        first, last = group_offsets[slate], group_offsets[slate + 1]
        best, gained, total = np.float32(-np.inf), 0.0, 0.0
        for row in range(first, last):
            best = max(best, scores[row])
            gained += gains[row]
        for row in range(first, last):
            slopes[row] = math.exp(scores[row] - best)
            total += slopes[row]
        for row in range(first, last):
            share = slopes[row] / total
            slopes[row] = weights[slate] * (gained * share - gains[row])
            # Trees divide by the sum of these: that of a slate without gain must not be zero.
            curvatures[row] = weights[slate] * max(gained * share * (1.0 - share), 1e-6)


def _try_fill(fill: Callable[..., None]) -> None:
    floats = np.zeros((4, 1), np.float32)
    fill(floats[0], floats[1], np.array([0, 1]), np.ones(1), floats[2], floats[3])
