"""What scores items: the protocol, and the two scorers that need nothing compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from letterpress.errors import ModelRefusedError
from letterpress.settings import let_idle_threads_sleep

if TYPE_CHECKING:
    import xgboost


class Scorer(Protocol):
    """Scores items; a higher score is a better place."""

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores `(n,)` of items with features `(n, n_features)`; missing values are NaN."""
        ...


class PopularityScorer:
    """Scores by one feature: the shrunken rate that the manifest names. A missing rate comes last."""

    def __init__(self, column: int) -> None:
        self._column = column

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.nan_to_num(features[:, self._column].astype(np.float64), nan=-np.inf)


class ColumnsScorer:
    """Scores by another scorer that knows only some of the features."""

    def __init__(self, scorer: Scorer, columns: tuple[int, ...]) -> None:
        self._scorer, self._columns = scorer, list(columns)

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return self._scorer.score(np.ascontiguousarray(features[:, self._columns]))


class BoosterScorer:
    """Scores by XGBoost itself: the reference that the compiled tree scorer must equal."""

    def __init__(self, booster: bytes, *, threads: int = 1) -> None:
        let_idle_threads_sleep()
        import xgboost  # half a second that popularity and `letterpress status` need not pay

        try:
            self._booster = xgboost.Booster({"nthread": threads}, model_file=bytearray(booster))
        except xgboost.core.XGBoostError as error:
            raise ModelRefusedError(
                f"expected an XGBoost model, found {len(booster)} bytes that it cannot read; train again."
            ) from error

    @property
    def booster(self) -> xgboost.Booster:
        return self._booster

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        predicted: NDArray[np.float32] = self._booster.inplace_predict(features, predict_type="margin")
        return predicted.astype(np.float64)
