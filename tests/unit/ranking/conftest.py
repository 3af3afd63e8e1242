"""Slates of four pets where the one with the largest `appeal` is chosen."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from letterpress.datasets.training_set import TrainingSet

MakeSlates = Callable[..., TrainingSet]
ITEMS = 4


def _slates(count: int, *, seed: int, first_at: int = 0) -> TrainingSet:
    rows = count * ITEMS
    features = np.random.default_rng(seed).normal(size=(rows, 2)).astype(np.float32)
    gains = np.zeros((count, ITEMS), dtype=np.float32)
    gains[np.arange(count), features[:, 0].reshape(count, ITEMS).argmax(axis=1)] = 1.0
    return TrainingSet(
        feature_names=("appeal", "noise"),
        features=features,
        gains=gains.ravel(),
        clicks=gains.ravel().astype(np.int64),
        position=np.tile(np.arange(1, ITEMS + 1), count).astype(np.int32),
        propensity=np.full(rows, 1 / ITEMS),
        item_codes=np.tile(np.arange(ITEMS), count).astype(np.int32),
        item_ids=np.arange(ITEMS).astype(object),
        group_offsets=np.arange(0, rows + 1, ITEMS),
        slate_ids=np.arange(count).astype(object),
        campaign_codes=(np.arange(count) // 2).astype(np.int32),
        shown_at=(first_at + np.arange(count)) * 1_000_000,
    )


@pytest.fixture
def make_slates() -> MakeSlates:
    return _slates
