"""Tells how far a fit has come: a line every so many trees, which the log of the task shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from letterpress.log import logger

if TYPE_CHECKING:
    from xgboost.callback import TrainingCallback

EVERY_TREES = 50


def tell_progress(name: str, *, of: int) -> TrainingCallback:
    """A callback that logs the trees so far, of at most `of`, and what the watched slates say of them."""
    from xgboost.callback import TrainingCallback

    class Progress(TrainingCallback):  # type: ignore[misc]  # XGBoost does not type it
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            del model
            if (epoch + 1) % EVERY_TREES == 0:
                told = [
                    f"{part}.{metric}={float(values[-1]):.5f}"
                    for part, metrics in evals_log.items()
                    for metric, values in metrics.items()
                ]
                logger.info("fit recommender=%s trees=%d of=%d %s", name, epoch + 1, of, " ".join(told))
            return False

    return Progress()
