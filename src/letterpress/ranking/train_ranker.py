"""Trains one XGBoost ensemble on slates, stopping where the validation slates stop getting better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.ndcg import dcg_per_group
from letterpress.recommenders import Recommender
from letterpress.settings import let_idle_threads_sleep

if TYPE_CHECKING:
    import xgboost

Floats = NDArray[np.float32]

MAX_ROUNDS = 400
PATIENCE = 40

TREE_PARAMETERS: dict[str, Any] = {
    "tree_method": "hist",
    "max_depth": 4,
    "eta": 0.08,
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


@dataclass(frozen=True, slots=True)
class TrainedRanker:
    """A booster cut to its best iteration, and how it came about."""

    booster: bytes
    """XGBoost's UBJ form."""
    trees: int
    valid_metric: float
    parameters: dict[str, Any]
    importance: dict[str, float] = field(default_factory=dict)
    """Share of the total gain by feature, largest first; features that no tree uses are absent."""


def train_ranker(  # rounds and patience are named where they are not the usual ones
    train: TrainingSet,
    valid: TrainingSet,
    recommender: Recommender,
    *,
    seed: int,
    threads: int,
    parameters: dict[str, Any] | None = None,
    rounds: int = MAX_ROUNDS,
    patience: int = PATIENCE,
) -> TrainedRanker:
    """The ranker of `train`, stopped early on `valid`; equal bytes for equal data, seed and threads.

    Slates of `train` count as much as they weigh; those of `valid` all alike.

    Raises:
        NotEnoughDataError: the data cannot teach a ranker; the sentence says what it lacks.
    """
    let_idle_threads_sleep()
    import xgboost

    is_listwise = recommender.judge == "ndcg"
    require_teachable(train, recommender, is_listwise=is_listwise)
    _require_gains(valid, recommender.name)
    objective = listwise_parameters(recommender.slate_size) if is_listwise else POINTWISE_PARAMETERS
    chosen = {**TREE_PARAMETERS, **objective, **(parameters or {}), "seed": seed}
    fitted = _weighted(_matrix(train, is_listwise=is_listwise), train, is_listwise=is_listwise)
    watched = _matrix(valid, is_listwise=is_listwise, like=fitted)
    booster = xgboost.train(
        {**chosen, "nthread": threads, "verbosity": 0},
        fitted,
        num_boost_round=rounds,
        evals=[(watched, "valid")],
        custom_metric=_ndcg_metric(valid, recommender.slate_size) if is_listwise else None,
        callbacks=[xgboost.callback.EarlyStopping(rounds=patience, maximize=is_listwise)],
        verbose_eval=False,
    )
    trees = int(booster.best_iteration) + 1
    best = booster[:trees]  # predictions never see the trees after the best one
    return TrainedRanker(
        booster=_without_history(best),
        trees=trees,
        valid_metric=float(booster.best_score),
        parameters=chosen,
        importance=_gain_shares(best, train.feature_names),
    )


def refit_ranker(
    part: TrainingSet, recommender: Recommender, trained: TrainedRanker, *, threads: int
) -> bytes:
    """The booster of `part` with the parameters and as many trees as `trained`: what folds are scored by."""
    import xgboost

    is_listwise = recommender.judge == "ndcg"
    booster = xgboost.train(
        {**trained.parameters, "nthread": threads, "verbosity": 0},
        _weighted(_matrix(part, is_listwise=is_listwise), part, is_listwise=is_listwise),
        num_boost_round=trained.trees,
    )
    return _without_history(booster)


def _ndcg_metric(valid: TrainingSet, k: int) -> Callable[[Floats, xgboost.DMatrix], tuple[str, float]]:
    """The NDCG that we judge by; XGBoost's own breaks ties by the order of rows and stops at tied trees."""
    ideal = dcg_per_group(valid.gains, valid.gains, valid.group_offsets, k)
    some = ideal > 0

    def ndcg(scores: Floats, _matrix: xgboost.DMatrix) -> tuple[str, float]:
        gained = dcg_per_group(scores, valid.gains, valid.group_offsets, k)
        return "ndcg", float((gained[some] / ideal[some]).mean())

    return ndcg


def _matrix(
    part: TrainingSet, *, is_listwise: bool, like: xgboost.QuantileDMatrix | None = None
) -> xgboost.QuantileDMatrix:
    import xgboost

    matrix = xgboost.QuantileDMatrix(part.features, label=part.gains, ref=like, missing=np.nan)
    if is_listwise:
        matrix.set_group(part.group_sizes)
    return matrix


def _weighted(
    matrix: xgboost.QuantileDMatrix, part: TrainingSet, *, is_listwise: bool
) -> xgboost.QuantileDMatrix:
    """The matrix, told what its slates weigh; XGBoost wants a weight a group of a listwise objective."""
    if part.is_weighted:
        matrix.set_weight(part.weights if is_listwise else part.row_weights)
    return matrix


def _without_history(booster: xgboost.Booster) -> bytes:
    """The model's bytes without the attributes that training left in it."""
    booster.set_attr(best_iteration=None, best_score=None)
    return bytes(booster.save_raw("ubj"))


def _gain_shares(booster: xgboost.Booster, names: tuple[str, ...]) -> dict[str, float]:
    gains = booster.get_score(importance_type="total_gain")
    total = sum(gains.values()) or 1.0
    shares = {names[int(key.removeprefix("f"))]: round(value / total, 6) for key, value in gains.items()}
    return dict(sorted(shares.items(), key=lambda pair: -pair[1]))


def require_teachable(train: TrainingSet, recommender: Recommender, *, is_listwise: bool) -> None:
    """Refuse data that would give a model that looks fine and knows nothing.

    Raises:
        NotEnoughDataError: too few slates or campaigns, nothing clicked, equal labels, single items, or no
            feature that tells items apart.
    """
    name = recommender.name
    train.require(recommender.gates.min_training_slates, f"train {name} on")
    if not (train.clicks > 0).any():
        raise NotEnoughDataError(
            f"{name}: expected clicks to learn from, found none in {len(train)} slates; wait for outcomes."
        )
    if np.ptp(train.gains) == 0:
        raise NotEnoughDataError(
            f"{name}: expected gains that differ, found {train.gains[0]:.4g} in all {train.rows} rows; "
            "check the declared targets against the log."
        )
    if not _has_a_telling_feature(train.features):
        raise NotEnoughDataError(
            f"{name}: expected features that differ between items, found every one of "
            f"{train.features.shape[1]} constant or missing; see what is known of them with "
            "`letterpress features --list`."
        )
    if is_listwise:
        _require_comparisons(train, name)


def _has_a_telling_feature(features: Floats) -> bool:
    """Whether any column has two values, a missing one among them; column by column, as most stop at once."""
    return any(bool((column != column[0]).any() and not np.isnan(column).all()) for column in features.T)


def _require_gains(valid: TrainingSet, name: str) -> None:
    if not (valid.gains > 0).any():
        raise NotEnoughDataError(
            f"{name}: expected gains in the {len(valid)} slates that tell when to stop, found none; "
            "collect more of the log."
        )


def _require_comparisons(train: TrainingSet, name: str) -> None:
    campaigns = len(np.unique(train.campaign_codes))
    if campaigns < 2:
        raise NotEnoughDataError(
            f"{name}: expected slates of several campaigns, found {campaigns}; collect more campaigns."
        )
    if int(train.group_sizes.max()) < 2:
        raise NotEnoughDataError(
            f"{name}: expected slates of several items, found one item in each of {len(train)}; declare "
            "judge='snips' for a log of single slots."
        )
