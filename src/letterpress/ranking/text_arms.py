"""Slates as arms of A/B tests, and what a fitted head needs to be a recommender's model."""

from __future__ import annotations

import msgspec
import numpy as np

from letterpress.datasets.training_set import TrainingSet
from letterpress.features import popularity_feature
from letterpress.ranking.linear_head import LinearHead, Weights
from letterpress.ranking.train_linear_head import SENTENCE_PREFIX, Arms, centre_within
from letterpress.recommenders import Recommender

SENTENCE = "sentence"


def arms_of(part: TrainingSet) -> Arms:
    """Every slate as a test."""
    return Arms(
        feature_names=part.feature_names,
        features=part.features,
        clicks=part.clicks,
        trials=part.trials,
        tests=np.repeat(np.arange(len(part)), part.group_sizes),
        weights=part.row_weights if part.is_weighted else part.weights,
    )


def with_evidence(head: LinearHead, recommender: Recommender) -> LinearHead:
    """The head, told where the item's own counts stand among the recommender's features."""
    numerator = recommender.target(recommender.popularity_target).numerator
    rate = next(each for each in recommender.evidence_rates if each.numerator == numerator)
    return msgspec.structs.replace(
        head,
        rate_feature=popularity_feature(recommender),
        trials_feature=f"item_{rate.denominator}",
        prior_rate=rate.prior,
        prior_weight=rate.weight,
    )


def shares_of_variance(weights: Weights, arms: Arms) -> dict[str, float]:
    """Share of each feature in the variance of its part of the score within tests, largest first.

    The directions of a sentence have no names, so they are one entry.
    """
    columns = [arms.feature_names.index(name) for name in weights.features]
    inputs = np.nan_to_num(arms.features[:, columns].astype(np.float64))
    parts = centre_within(inputs, arms.tests) * np.array(weights.weights)
    is_sentence = np.array([name.startswith(SENTENCE_PREFIX) for name in weights.features])
    variances = {
        name: float((parts[:, at] ** 2).mean())
        for at, name in enumerate(weights.features)
        if not is_sentence[at]
    }
    if is_sentence.any():
        variances[SENTENCE] = float((parts[:, is_sentence].sum(axis=1) ** 2).mean())
    total = sum(variances.values()) or 1.0
    return {
        name: round(value / total, 6)
        for name, value in sorted(variances.items(), key=lambda pair: -pair[1])
        if value > 0
    }
