"""What XGBoost is told: usual parameters, the objective, and what is declared of the features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from letterpress.features import monotone_directions
from letterpress.recommenders import Recommender

TREE_PARAMETERS: dict[str, Any] = {
    "tree_method": "hist",
    "max_depth": 4,
    "eta": 0.04,
    "min_child_weight": 20.0,
    "subsample": 0.8,
    "colsample_bytree": 0.8,
    "lambda": 2.0,
}


def listwise_parameters(k: int) -> dict[str, Any]:
    """Pairs within a slate, weighted by the top `k`; beat `rank:ndcg` and pointwise on the simulated log."""
    return {
        "objective": "rank:pairwise",
        "ndcg_exp_gain": False,
        "lambdarank_pair_method": "topk",
        "lambdarank_num_pair_per_sample": k,
        "disable_default_eval_metric": True,
    }


POINTWISE_PARAMETERS: dict[str, Any] = {
    "objective": "reg:squarederror",
    "eval_metric": "rmse",
    "min_child_weight": 50.0,
}
"""For logs of single slots, where there is nothing to compare within a slate."""


def tree_parameters(
    recommender: Recommender, names: Sequence[str], chosen: Mapping[str, Any], *, seed: int
) -> dict[str, Any]:
    """The usual parameters with `chosen` ones over them, for features `names` in the order of columns."""
    is_listwise = recommender.judge == "ndcg"
    objective = listwise_parameters(recommender.slate_size) if is_listwise else POINTWISE_PARAMETERS
    constraints = _constraints(monotone_directions(recommender), names)
    return {**TREE_PARAMETERS, **objective, **constraints, **chosen, "seed": seed}


def _constraints(directions: Mapping[str, int], names: Sequence[str]) -> dict[str, str]:
    """XGBoost's own form, `(0,1,-1)`; nothing where no feature has a direction."""
    signs = [directions.get(name, 0) for name in names]
    return {"monotone_constraints": f"({','.join(map(str, signs))})"} if any(signs) else {}
