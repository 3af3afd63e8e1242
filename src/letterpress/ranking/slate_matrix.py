"""Slates as XGBoost takes them: quantised features, gains, groups and weights."""

from __future__ import annotations

import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from letterpress.datasets.feature_rows import BLOCK_ROWS, folder_of_map
from letterpress.datasets.training_set import TrainingSet

if TYPE_CHECKING:
    import xgboost

type Matrix = xgboost.QuantileDMatrix | xgboost.ExtMemQuantileDMatrix


def slate_matrix(part: TrainingSet, *, is_pairwise: bool, like: Matrix | None = None) -> Matrix:
    """The matrix of `part`, cut at the quantiles of `like` where that is given.

    With `like` it is to be watched, not learned from, so its slates count alike. Else they count as much as
    they weigh: XGBoost wants a weight a group of an objective of pairs, and a weight a row of
    others; an objective of our own weighs by itself.

    Features that lie in a file are read from it block by block, and stay there quantised: trees are then
    grown from the disk, and are the same to the bit.
    """
    import xgboost

    folder = folder_of_map(part.features)
    if folder is None:
        matrix: Matrix = xgboost.QuantileDMatrix(part.features, label=part.gains, ref=like, missing=np.nan)
    else:
        matrix = _paged_matrix(part, folder, like)
    if is_pairwise:
        matrix.set_group(part.group_sizes)
    if part.is_weighted and like is None:
        matrix.set_weight(part.weights if is_pairwise else part.row_weights)
    return matrix


def _paged_matrix(part: TrainingSet, folder: Path, like: Matrix | None) -> xgboost.ExtMemQuantileDMatrix:
    """A matrix whose pages lie below `folder` for as long as it lives."""
    import xgboost

    class Blocks(xgboost.DataIter):  # type: ignore[misc]  # XGBoost does not type it
        """Hands the rows over, block by block, as often as they are asked for."""

        def __init__(self, prefix: str) -> None:
            self._first = 0
            super().__init__(cache_prefix=prefix, on_host=False)

        def next(self, input_data: Any) -> bool:
            if self._first >= part.rows:
                return False
            rows = slice(self._first, self._first + BLOCK_ROWS)
            input_data(data=np.ascontiguousarray(part.features[rows]), label=part.gains[rows])
            self._first += BLOCK_ROWS
            return True

        def reset(self) -> None:
            self._first = 0

    pages = tempfile.TemporaryDirectory(prefix="pages-", dir=folder)
    matrix = xgboost.ExtMemQuantileDMatrix(Blocks(f"{pages.name}/page"), ref=like, missing=np.nan)
    weakref.finalize(matrix, pages.cleanup)
    return matrix
