"""Three cohorts of items: the old ones taught something else, the young ones what is asked later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from letterpress.datasets.training_set import MICROSECONDS_PER_HOUR, TrainingSet
from letterpress.ranking.item_cohorts import cohorts_by_age
from letterpress.ranking.scorer import Scorer

from .pet_slates import ITEMS, world


class Slope:
    """Scores by the first feature, as far as gains rose with it."""

    def __init__(self, part: TrainingSet) -> None:
        first = np.nan_to_num(part.features[:, 0])
        self.slope = float(((first - first.mean()) * part.gains).sum())

    def score(self, features: np.ndarray) -> np.ndarray:
        return np.asarray(self.slope * np.nan_to_num(features[:, 0]), np.float64)


def fit(part: TrainingSet) -> Scorer:
    return Slope(part)


def aged(part: TrainingSet, days_ago: float, first_item: int) -> TrainingSet:
    shown = np.full(len(part), round(-days_ago * 24 * MICROSECONDS_PER_HOUR))
    return replace(
        part,
        shown_at=shown + np.arange(len(part)),
        item_codes=(part.item_codes + first_item).astype(np.int32),
        item_ids=np.arange(30).astype(object),
    )


@pytest.fixture
def train() -> TrainingSet:
    old, young, newest = world(100, 1), world(300, 2), world(5, 3)
    turned = replace(old, gains=(1 - old.gains).astype(np.float32))
    return TrainingSet.joined([aged(turned, 40, 0), aged(young, 10, 10), aged(newest, 0, 20)])


def test_cohorts_say_how_much_of_the_training_set_they_are(train: TrainingSet) -> None:
    cohorts = cohorts_by_age(train, world(150, 4), fit, k=4, seed=1)
    assert [(each.label, each.items, each.rows) for each in cohorts] == [
        ("0 to 1 days", 6, 5 * ITEMS),
        ("7 to 28 days", 6, 300 * ITEMS),
        ("28 to 90 days", 6, 100 * ITEMS),
    ]
    assert sum(each.share for each in cohorts) == pytest.approx(1.0)


def test_dropping_what_teaches_costs_and_dropping_what_misleads_does_not(train: TrainingSet) -> None:
    found = {each.label: each.change for each in cohorts_by_age(train, world(150, 4), fit, k=4, seed=1)}
    young, old, newest = found["7 to 28 days"], found["28 to 90 days"], found["0 to 1 days"]
    assert young is not None
    assert young.high < -0.1
    assert old is not None
    assert old.low >= 0.0
    assert newest is not None
    assert newest.mean == 0.0


def test_a_model_that_one_cohort_misled_is_better_without_it(train: TrainingSet) -> None:
    misled = TrainingSet.joined(
        [train.take(train.shown_at < -30 * 24 * MICROSECONDS_PER_HOUR)] * 20 + [train]
    )
    found = cohorts_by_age(misled, world(150, 4), fit, k=4, seed=1)[-1]
    assert found.change is not None
    assert found.change.low > 0.1


def test_items_of_one_age_alone_are_not_dropped(train: TrainingSet) -> None:
    (alone,) = cohorts_by_age(train.take(train.shown_at >= -3_600_000_000), world(50, 4), fit, k=4, seed=1)
    assert (alone.change, alone.share) == (None, 1.0)
    assert alone.as_numbers()["ndcg_change"] is None


def test_an_item_is_as_old_as_its_first_slate(train: TrainingSet) -> None:
    again = replace(
        train,
        item_codes=np.where(train.item_codes >= 20, train.item_codes - 20, train.item_codes).astype(np.int32),
    )
    labels = [each.label for each in cohorts_by_age(again, world(50, 4), fit, k=4, seed=1)]
    assert labels == ["7 to 28 days", "28 to 90 days"]


def test_a_cohort_that_is_all_of_what_is_looked_at_is_not_dropped(train: TrainingSet) -> None:
    rare = TrainingSet.joined(
        [train.take(np.arange(len(train)) >= 400), *[train.take(train.shown_at < 0)] * 10]
    )
    first = np.zeros(len(rare), bool)
    first[1] = True
    few = cohorts_by_age(rare.take(first), world(50, 4), fit, k=4, seed=1)
    assert [each.change for each in few] == [None]
