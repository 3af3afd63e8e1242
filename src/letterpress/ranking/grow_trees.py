"""Grows trees on slates: the one place that knows how XGBoost is told an objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from letterpress.datasets.training_set import TrainingSet
from letterpress.ranking.slate_matrix import slate_matrix
from letterpress.ranking.slate_softmax import slate_softmax
from letterpress.ranking.tree_parameters import SLATE_SOFTMAX, compares_items
from letterpress.ranking.watched_ndcg import ndcg_metric

if TYPE_CHECKING:
    import xgboost
    from xgboost.callback import TrainingCallback


class Watched(NamedTuple):
    """Slates that are looked at after each tree."""

    part: TrainingSet
    k: int | None
    """Look at their NDCG of the best `k`; None: at what the parameters name."""


def grow_trees(
    part: TrainingSet,
    parameters: Mapping[str, Any],
    rounds: int,
    *,
    threads: int,
    watched: Watched | None = None,
    callbacks: Sequence[TrainingCallback] = (),
    start: bytes | None = None,
    told: dict[str, dict[str, list[float]]] | None = None,
) -> xgboost.Booster:
    """The booster that `part` grows in at most so many `rounds`, after the trees of `start` if there is one.

    `told` is filled with what the watched slates, `valid`, said after each tree.
    """
    import xgboost

    is_pairwise = compares_items(parameters)
    matrix = slate_matrix(part, is_pairwise=is_pairwise)
    evals = []
    if watched is not None:
        evals = [(slate_matrix(watched.part, is_pairwise=is_pairwise, like=matrix), "valid")]
    is_ours = parameters["objective"] == SLATE_SOFTMAX
    asked = {name: value for name, value in parameters.items() if not (is_ours and name == "objective")}
    return xgboost.train(
        {**asked, "nthread": threads, "verbosity": 0},
        matrix,
        num_boost_round=rounds,
        obj=slate_softmax(part) if is_ours else None,
        evals=evals,
        custom_metric=None if watched is None or watched.k is None else ndcg_metric(watched.part, watched.k),
        callbacks=list(callbacks),
        evals_result=told,
        verbose_eval=False,
        xgb_model=None if start is None else bytearray(start),
    )


def ndcg_after_each_tree(
    part: TrainingSet, parameters: Mapping[str, Any], rounds: int, watched: Watched, *, threads: int
) -> NDArray[np.float64]:
    """NDCG `(rounds,)` of the watched slates after each tree that `part` grows."""
    told: dict[str, dict[str, list[float]]] = {}
    grow_trees(part, parameters, rounds, threads=threads, watched=watched, told=told)
    return np.array(told["valid"]["ndcg"])
