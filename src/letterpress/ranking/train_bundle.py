"""From a split training set to a bundle, with what it was trained on written into its manifest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from letterpress.datasets.temporal_split import Split, is_by_time
from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError
from letterpress.features import schema_hash
from letterpress.ranking.age_trial import try_weights
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.calibration import Calibration, declared_calibration
from letterpress.ranking.data_age import weigh_by_age
from letterpress.ranking.feature_baseline import feature_baseline
from letterpress.ranking.fit_calibration import fit_calibration
from letterpress.ranking.held_out_scores import newest_slates, score_by_halves
from letterpress.ranking.item_cohorts import Cohort, Fit, cohorts_by_age
from letterpress.ranking.linear_head import LinearScorer
from letterpress.ranking.scorer import BoosterScorer, Scorer
from letterpress.ranking.shap_shares import linear_shap_shares, shap_shares
from letterpress.ranking.text_arms import arms_of, shares_of_variance, with_evidence
from letterpress.ranking.train_linear_head import fit_linear_head
from letterpress.ranking.train_ranker import USUAL_PLAN, FitPlan, TrainedRanker, refit_ranker, train_ranker
from letterpress.recommenders import Recommender

STOPPED_BY_FOLDS = "folds"
"""In the manifest of trees that learned from the slates of `valid`, too."""


def train_bundle(
    recommender: Recommender,
    split: Split,
    *,
    snapshot: str,
    seed: int,
    threads: int,
    plan: FitPlan = USUAL_PLAN,
    facts: Mapping[str, Any] | None = None,
) -> ModelBundle:
    """The bundle of a ranker trained on `split.train`; nothing of `split.test` is looked at.

    `facts` tell how `plan` came about, and go into the manifest.

    Raises:
        NotEnoughDataError: the data cannot teach a ranker, or is too little to judge one.
    """
    split.test.judged().require(recommender.gates.min_test_slates, f"judge {recommender.name} on")
    if recommender.judge == "ab_test":
        return _linear_bundle(recommender, split, snapshot=snapshot, seed=seed)
    trained = train_ranker(split.train, split.valid, recommender, seed=seed, threads=threads, plan=plan)
    learned = split.train if trained.held_out and plan.start is None else None
    fit = _as_trained(trained, learned, threads=threads)
    trial = try_weights(split.train, split.valid, fit, k=recommender.slate_size, seed=seed)
    if not trained.held_out:  # slates to stop on are newer and would weigh less than the newest of the others
        trial = trial._replace(train=split.train)
    if trial.train.is_weighted:
        split = split._replace(train=trial.train)
        trained = train_ranker(split.train, split.valid, recommender, seed=seed, threads=threads, plan=plan)
    cohorts = _cohorts(recommender, split, trained, seed=seed, threads=threads)
    return ModelBundle.xgboost(
        trained.booster,
        recommender=recommender.name,
        features=split.train.feature_names,
        schema_hash=schema_hash(recommender),
        snapshot=snapshot,
        training={
            **_training_facts(split, trained, seed),
            "resiliency": trial.as_numbers(cohorts),
            **(facts or {}),
            "shap": shap_shares(trained.booster, split.valid, seed=seed, threads=threads),
        },
        metrics={"valid": round(trained.valid_metric, 6)} if math.isfinite(trained.valid_metric) else {},
    ).with_calibration(_calibration(recommender, split, trained, threads=threads))


def _cohorts(
    recommender: Recommender, split: Split, trained: TrainedRanker, *, seed: int, threads: int
) -> list[Cohort]:
    """What items of each age bring, told on the slates after those that were trained on."""
    if recommender.judge != "ndcg":
        return []
    fit = _as_trained(trained, threads=threads)
    return cohorts_by_age(split.train, split.valid, fit, k=recommender.slate_size, seed=seed)


def _as_trained(trained: TrainedRanker, learned: TrainingSet | None = None, *, threads: int) -> Fit:
    """What makes a scorer of other slates with the parameters and as many trees as `trained`.

    Of `learned` it is `trained` itself: growing it again gives the same bytes.
    """

    def fit(part: TrainingSet) -> Scorer:
        booster = trained.booster if part is learned else refit_ranker(part, trained, threads=threads)
        return BoosterScorer(booster, threads=threads)

    return fit


def _calibration(
    recommender: Recommender, split: Split, trained: TrainedRanker, *, threads: int
) -> Calibration:
    fit = _as_trained(trained, threads=threads)
    if not trained.held_out:
        seen = newest_slates(TrainingSet.joined([split.train, split.valid]))
        return fit_calibration(score_by_halves(seen, fit), seen, recommender)
    newest = newest_slates(split.train)
    scores = score_by_halves(newest, fit)
    whole = BoosterScorer(trained.booster, threads=threads).score(split.valid.features)
    seen = TrainingSet.joined([newest, split.valid])
    return fit_calibration(np.concatenate([scores, whole]), seen, recommender)


def _linear_bundle(recommender: Recommender, split: Split, *, snapshot: str, seed: int) -> ModelBundle:
    """The bundle of a linear model of texts; it needs no slates to stop on, so it learns from them too."""
    both = TrainingSet.joined([split.train, split.valid])
    both.require(recommender.gates.min_training_slates, f"train {recommender.name} on")
    fit = _head_of(recommender, seed=seed)
    trial = try_weights(split.train, split.valid, fit, k=recommender.slate_size, seed=seed)
    learned = arms_of(weigh_by_age(both, trial.age) if trial.train.is_weighted else both)
    fitted = fit_linear_head(learned, seed=seed)
    return ModelBundle.linear(
        with_evidence(fitted.head, recommender),
        recommender=recommender.name,
        features=split.train.feature_names,
        schema_hash=schema_hash(recommender),
        snapshot=snapshot,
        training={
            "seed": seed,
            "trees": 0,
            "parameters": fitted.facts,
            "importance": shares_of_variance(fitted.head.whole, learned),
            **_extents(split),
            "resiliency": trial.as_numbers([]),
            "shap": linear_shap_shares(fitted.head.whole, both, seed=seed),
        },
        metrics={"explained": fitted.facts["explained"]},
    ).with_calibration(_linear_calibration(recommender, split, seed=seed))


def _linear_calibration(recommender: Recommender, split: Split, *, seed: int) -> Calibration:
    """The rates of heads of half the tests; as declared where half of them is too little to fit one."""
    newest = newest_slates(TrainingSet.joined([split.train, split.valid]))
    try:
        scores = score_by_halves(newest, _head_of(recommender, seed=seed))
    except NotEnoughDataError:
        return declared_calibration(recommender)
    return fit_calibration(scores, newest, recommender)


def _head_of(recommender: Recommender, *, seed: int) -> Fit:
    """What makes a scorer of slates of texts."""

    def fit(part: TrainingSet) -> Scorer:
        head = with_evidence(fit_linear_head(arms_of(part), seed=seed).head, recommender)
        return LinearScorer(head, part.feature_names)

    return fit


def _extents(split: Split) -> dict[str, Any]:
    return {
        "split_by": "time" if is_by_time(split) else "name",
        "train": _extent(split.train),
        "valid": _extent(split.valid),
        "test": _extent(split.test),
        "recomputed_rows": split.train.recomputed_rows,
        "unripe_slates": split.train.unripe_slates,
    }


def _training_facts(split: Split, trained: TrainedRanker, seed: int) -> dict[str, Any]:
    return {
        "seed": seed,
        "trees": trained.trees,
        "stopped_by": "held-out slates" if trained.held_out else STOPPED_BY_FOLDS,
        "parameters": trained.parameters,
        "importance": trained.importance,
        "baseline": feature_baseline(split.train),
        **({"position_bias": dict(split.train.position_bias)} if split.train.position_bias else {}),
        **_extents(split),
    }


def _extent(part: TrainingSet) -> dict[str, Any]:
    first, last = (datetime.fromtimestamp(at / 1e6, UTC).isoformat() for at in part.shown_at[[0, -1]])
    return {"slates": len(part), "rows": part.rows, "first": first, "last": last}
