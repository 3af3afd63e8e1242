"""What becomes of weights when slates are chosen and parts are joined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from letterpress.datasets.training_arrays import FeatureSchema, training_set_from
from letterpress.datasets.training_set import TrainingSet
from letterpress.recommenders import Recommender

from .conftest import examples


@pytest.fixture
def whole(pets: Recommender, schema: FeatureSchema) -> TrainingSet:
    part = training_set_from([examples([1, 2, 3, 90])], pets, schema)
    return replace(part, weights=np.array([0.5, 1.0, 1.5]))


def test_weights_stay_with_their_slates(whole: TrainingSet) -> None:
    chosen = whole.take(np.array([True, False, True]))
    assert chosen.weights.tolist() == [0.5, 1.5]
    assert chosen.row_weights.tolist() == [0.5, 0.5, 1.5, 1.5]


def test_slates_without_weights_count_once_beside_those_that_have_some(whole: TrainingSet) -> None:
    bare = replace(whole, weights=np.zeros(0))
    assert not bare.take(np.array([True, False, True])).is_weighted
    assert not TrainingSet.joined([bare, bare]).is_weighted
    assert TrainingSet.joined([bare, whole]).weights.tolist() == [1.0, 1.0, 1.0, 0.5, 1.0, 1.5]


def test_slates_that_lose_all_rows_are_left_out_with_their_weights(whole: TrainingSet) -> None:
    kept = whole.take_rows(np.array([True, False, False, False, True, True]))
    assert kept.slate_ids.tolist() == ["acme\x1fs1", "acme\x1fs3"]
    assert kept.group_offsets.tolist() == [0, 1, 3]
    assert kept.weights.tolist() == [0.5, 1.5]
    assert kept.features.tolist() == whole.features[[0, 4, 5]].tolist()
