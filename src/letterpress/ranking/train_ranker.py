"""Trains one XGBoost ensemble on slates, stopping where the validation slates stop getting better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from letterpress.datasets.training_set import TrainingSet
from letterpress.ranking.fit_progress import tell_progress
from letterpress.ranking.grow_trees import Watched, grow_trees
from letterpress.ranking.teachable import require_gains, require_teachable
from letterpress.ranking.tree_parameters import tree_parameters
from letterpress.ranking.trees_by_folds import count_trees, is_too_few
from letterpress.recommenders import Recommender
from letterpress.settings import let_idle_threads_sleep

if TYPE_CHECKING:
    import xgboost

MAX_ROUNDS = 400
PATIENCE = 100


@dataclass(frozen=True, slots=True)
class FitPlan:
    """How trees are grown where that is not the usual way."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Over the usual ones, e.g. tuned."""
    start: bytes | None = None
    """A booster of the same features whose trees come first; the new ones correct them."""
    rounds: int = MAX_ROUNDS
    """The most trees that are grown."""
    patience: int = PATIENCE
    """After how many trees that bring nothing growing ends."""


USUAL_PLAN = FitPlan()


@dataclass(frozen=True, slots=True)
class TrainedRanker:
    """A booster cut to its best iteration, and how it came about."""

    booster: bytes
    """XGBoost's UBJ form."""
    trees: int
    """All of them, those that it began with among them."""
    valid_metric: float
    parameters: dict[str, Any]
    importance: dict[str, float] = field(default_factory=dict)
    """Share of the total gain by feature, largest first; features that no tree uses are absent."""
    held_out: bool = True
    """Whether the slates that stopped it were kept from it; False: it learned from them too."""


def train_ranker(
    train: TrainingSet,
    valid: TrainingSet,
    recommender: Recommender,
    *,
    seed: int,
    threads: int,
    plan: FitPlan = USUAL_PLAN,
) -> TrainedRanker:
    """The ranker of `train`, stopped early on `valid`; equal bytes for equal data, plan, seed and threads.

    Where slates are too few for that, folds tell the number of trees, and all slates are learned from.
    Slates of `train` count as much as they weigh; those of `valid` all alike.

    Raises:
        NotEnoughDataError: the data cannot teach a ranker; the sentence says what it lacks.
    """
    let_idle_threads_sleep()
    has_slates = recommender.judge == "ndcg"
    require_teachable(train, recommender, has_slates=has_slates)
    require_gains(valid, recommender)
    parameters = tree_parameters(recommender, train.feature_names, plan.parameters, seed=seed)
    if has_slates and plan.start is None and is_too_few(train, valid):
        whole = TrainingSet.joined([train, valid])
        return _train_on_all(whole, recommender, parameters, plan.rounds, threads)
    return _train_and_stop(train, valid, recommender, parameters, plan, threads)


def _train_and_stop(
    train: TrainingSet,
    valid: TrainingSet,
    recommender: Recommender,
    parameters: dict[str, Any],
    plan: FitPlan,
    threads: int,
) -> TrainedRanker:
    from xgboost.callback import EarlyStopping

    has_slates = recommender.judge == "ndcg"
    booster = grow_trees(
        train,
        parameters,
        plan.rounds,
        threads=threads,
        watched=Watched(valid, recommender.slate_size if has_slates else None),
        callbacks=[
            EarlyStopping(rounds=plan.patience, maximize=has_slates),
            tell_progress(recommender.name, of=plan.rounds),
        ],
        start=plan.start,
    )
    trees = int(booster.best_iteration) + 1
    best = booster[:trees]  # predictions never see the trees after the best one
    return TrainedRanker(
        booster=_without_history(best),
        trees=trees,
        valid_metric=float(booster.best_score),
        parameters=parameters,
        importance=_gain_shares(best, train.feature_names),
    )


def _train_on_all(
    whole: TrainingSet, recommender: Recommender, parameters: dict[str, Any], rounds: int, threads: int
) -> TrainedRanker:
    """The ranker of all slates, with as many trees as folds of them say."""
    trees, ndcg = count_trees(whole, parameters, recommender.slate_size, rounds=rounds, threads=threads)
    booster = grow_trees(whole, parameters, trees, threads=threads)
    return TrainedRanker(
        booster=_without_history(booster),
        trees=trees,
        valid_metric=ndcg,
        parameters=parameters,
        importance=_gain_shares(booster, whole.feature_names),
        held_out=False,
    )


def refit_ranker(part: TrainingSet, trained: TrainedRanker, *, threads: int) -> bytes:
    """The booster of `part` with the parameters and as many trees as `trained`: what folds are scored by."""
    return _without_history(grow_trees(part, trained.parameters, trained.trees, threads=threads))


def _without_history(booster: xgboost.Booster) -> bytes:
    """The model's bytes without the attributes that training left in it."""
    booster.set_attr(best_iteration=None, best_score=None)
    return bytes(booster.save_raw("ubj"))


def _gain_shares(booster: xgboost.Booster, names: tuple[str, ...]) -> dict[str, float]:
    gains = booster.get_score(importance_type="total_gain")
    total = sum(gains.values()) or 1.0
    shares = {names[int(key.removeprefix("f"))]: round(value / total, 6) for key, value in gains.items()}
    return dict(sorted(shares.items(), key=lambda pair: -pair[1]))
