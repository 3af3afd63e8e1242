"""From a split training set to a bundle, with what it was trained on written into its manifest."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from letterpress.datasets.temporal_split import Split
from letterpress.datasets.training_set import TrainingSet
from letterpress.features import schema_hash
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.text_arms import arms_of, joined_arms, shares_of_variance, with_evidence
from letterpress.ranking.train_linear_head import fit_linear_head
from letterpress.ranking.train_ranker import TrainedRanker, train_ranker
from letterpress.recommenders import Recommender


def train_bundle(
    recommender: Recommender, split: Split, *, snapshot: str, seed: int, threads: int
) -> ModelBundle:
    """The bundle of a ranker trained on `split.train`; nothing of `split.test` is looked at.

    Raises:
        NotEnoughDataError: the data cannot teach a ranker, or is too little to judge one.
    """
    split.test.require(recommender.gates.min_test_slates, f"judge {recommender.name} on")
    if recommender.judge == "ab_test":
        return _linear_bundle(recommender, split, snapshot=snapshot, seed=seed)
    trained = train_ranker(split.train, split.valid, recommender, seed=seed, threads=threads)
    return ModelBundle.xgboost(
        trained.booster,
        recommender=recommender.name,
        features=split.train.feature_names,
        schema_hash=schema_hash(recommender),
        snapshot=snapshot,
        training=_training_facts(split, trained, seed),
        metrics={"valid": round(trained.valid_metric, 6)} if math.isfinite(trained.valid_metric) else {},
    )


def _linear_bundle(recommender: Recommender, split: Split, *, snapshot: str, seed: int) -> ModelBundle:
    """The bundle of a linear model of texts; it needs no slates to stop on, so it learns from them too."""
    split.train.require(recommender.gates.min_training_slates, f"train {recommender.name} on")
    learned = joined_arms([arms_of(split.train), arms_of(split.valid)])
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
        },
        metrics={"explained": fitted.facts["explained"]},
    )


def _extents(split: Split) -> dict[str, Any]:
    return {
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
        "parameters": trained.parameters,
        "importance": trained.importance,
        **_extents(split),
    }


def _extent(part: TrainingSet) -> dict[str, Any]:
    first, last = (datetime.fromtimestamp(at / 1e6, UTC).isoformat() for at in part.shown_at[[0, -1]])
    return {"slates": len(part), "rows": part.rows, "first": first, "last": last}
