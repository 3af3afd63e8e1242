"""Slates of six pets, of which the best by the first two of four features is chosen, most of the time."""

from __future__ import annotations

import numpy as np

from letterpress.datasets.training_set import TrainingSet
from letterpress.recommenders import Gates, Recommender, Target

PETS = Recommender(
    name="pets",
    description="Ranks pets.",
    item_kind="pet",
    slate_size=4,
    targets=(Target("chosen", "chosen", weight=1.0, window_hours=1),),
    feature_views=(),
    judge="ndcg",
    gates=Gates(min_training_slates=50, min_test_slates=20, min_relative_gain=0.01),
)
ITEMS = 6


def world(slates: int, seed: int) -> TrainingSet:
    """So many of them; 2 % of the values are missing."""
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(slates * ITEMS, 4)).astype(np.float32)
    appeal = features[:, 0] * features[:, 1] + features[:, 0] + generator.normal(size=len(features)) * 0.3
    gains = np.zeros((slates, ITEMS), dtype=np.float32)
    gains[np.arange(slates), appeal.reshape(slates, ITEMS).argmax(axis=1)] = 1.0
    features[generator.random(features.shape) < 0.02] = np.nan
    return TrainingSet(
        feature_names=("a", "b", "c", "d"),
        features=features,
        gains=gains.ravel(),
        clicks=gains.ravel().astype(np.int64),
        position=np.tile(np.arange(1, ITEMS + 1), slates).astype(np.int32),
        propensity=np.full(slates * ITEMS, 1 / ITEMS),
        item_codes=np.tile(np.arange(ITEMS), slates).astype(np.int32),
        item_ids=np.arange(ITEMS).astype(object),
        group_offsets=np.arange(0, slates * ITEMS + 1, ITEMS),
        slate_ids=np.arange(slates).astype(object),
        campaign_codes=(np.arange(slates) // 2).astype(np.int32),
        shown_at=np.arange(slates),
    )
