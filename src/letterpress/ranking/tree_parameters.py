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


def pairwise_parameters(k: int) -> dict[str, Any]:
    """Pairs within a slate, weighted by the top `k`."""
    return {
        "objective": "rank:pairwise",
        "ndcg_exp_gain": False,
        "lambdarank_pair_method": "topk",
        "lambdarank_num_pair_per_sample": k,
        "disable_default_eval_metric": True,
    }


GAIN_PARAMETERS: dict[str, Any] = {"objective": "binary:logitraw", "disable_default_eval_metric": True}
"""The log odds of a gain between 0 and 1, for slates all the same: scores are as they are added up."""

SLATE_SOFTMAX = "slate:softmax"
"""An objective of our own, which XGBoost knows no name for."""
SOFTMAX_PARAMETERS: dict[str, Any] = {
    "objective": SLATE_SOFTMAX,
    "base_score": 0.0,
    "disable_default_eval_metric": True,
}
"""Each item's share of what its slate gained: all of a slate at once."""

SINGLE_PARAMETERS: dict[str, Any] = {
    "objective": "reg:squarederror",
    "eval_metric": "rmse",
    "min_child_weight": 50.0,
}
"""For logs of single slots, where there is nothing to compare within a slate."""


def tree_parameters(
    recommender: Recommender, names: Sequence[str], chosen: Mapping[str, Any], *, seed: int
) -> dict[str, Any]:
    """The usual parameters with `chosen` ones over them, for features `names` in the order of columns."""
    constraints = _constraints(monotone_directions(recommender), names)
    return {**TREE_PARAMETERS, **_objective(recommender), **constraints, **chosen, "seed": seed}


def compares_items(parameters: Mapping[str, Any]) -> bool:
    """Whether XGBoost must be told which rows are of one slate."""
    return str(parameters["objective"]).startswith("rank:")


def objective_of(recommender: Recommender) -> str:
    """What scores of the recommender's trees mean, by the name that the manifest has for it."""
    return str(_objective(recommender)["objective"])


def _objective(recommender: Recommender) -> dict[str, Any]:
    if recommender.judge != "ndcg":
        return SINGLE_PARAMETERS
    if recommender.objective == "pairwise":
        return pairwise_parameters(recommender.slate_size)
    return SOFTMAX_PARAMETERS if recommender.objective == "softmax" else GAIN_PARAMETERS


def _constraints(directions: Mapping[str, int], names: Sequence[str]) -> dict[str, str]:
    """XGBoost's own form, `(0,1,-1)`; nothing where no feature has a direction."""
    signs = [directions.get(name, 0) for name in names]
    return {"monotone_constraints": f"({','.join(map(str, signs))})"} if any(signs) else {}
