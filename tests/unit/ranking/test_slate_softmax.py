from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.ranking.pet_slates import PETS, world

from letterpress.datasets.training_set import TrainingSet
from letterpress.ranking.slate_softmax import slate_softmax
from letterpress.ranking.train_ranker import FitPlan, train_ranker

SHARES = replace(PETS, objective="softmax")
FEW_TREES = FitPlan(rounds=20)
SIZES = np.array([3, 1, 5, 2, 4])
WITHOUT_GAIN = 3
Floats = NDArray[np.float64]


def ragged() -> TrainingSet:
    """Slates of many sizes and weights, one of a single item, one without gain."""
    random, rows = np.random.default_rng(4), int(SIZES.sum())
    whole = world(5, 1).take_rows(np.arange(30) < rows)
    gains = random.random(rows).astype(np.float32)
    offsets = np.concatenate([[0], np.cumsum(SIZES)])
    gains[offsets[WITHOUT_GAIN] : offsets[WITHOUT_GAIN + 1]] = 0.0
    weights = np.array([0.5, 1.0, 2.0, 1.0, 0.5])
    return replace(whole, gains=gains, group_offsets=offsets, weights=weights)


def gradient_of(part: TrainingSet, scores: NDArray[np.float32]) -> tuple[Any, Any]:
    return slate_softmax(part)(scores, None)  # it asks nothing of the matrix


def loss(part: TrainingSet, scores: Floats) -> float:
    total = 0.0
    for slate, (first, last) in enumerate(zip(part.group_offsets[:-1], part.group_offsets[1:], strict=True)):
        shares = np.exp(scores[first:last]) / np.exp(scores[first:last]).sum()
        total -= part.weights[slate] * (part.gains[first:last] * np.log(shares)).sum()
    return total


def test_the_gradient_is_that_of_the_weighted_cross_entropy_of_ragged_slates() -> None:
    part, step = ragged(), 1e-3
    scores = np.random.default_rng(5).normal(size=part.rows).astype(np.float32)
    slopes, curvatures = gradient_of(part, scores)
    middle = scores.astype(np.float64)
    for row in range(part.rows):
        aside = step * (np.arange(part.rows) == row)
        above, here, below = (loss(part, middle + sign * aside) for sign in (1, 0, -1))
        assert slopes[row] == pytest.approx((above - below) / (2 * step), abs=1e-5)
        assert curvatures[row] == pytest.approx((above - 2 * here + below) / step**2, abs=1e-5)


def test_slates_without_gain_or_choice_pull_nowhere_and_scores_far_apart_stay_finite() -> None:
    part = ragged()
    far = np.linspace(-1e4, 1e4, part.rows).astype(np.float32)
    slopes, curvatures = gradient_of(part, far)
    assert np.isfinite(slopes).all()
    assert (curvatures > 0).all()
    for slate in (1, WITHOUT_GAIN):
        assert (slopes[part.group_offsets[slate] : part.group_offsets[slate + 1]] == 0).all()


def test_weights_of_slates_change_what_is_learned_and_equal_ones_change_nothing() -> None:
    part, valid = world(300, 1), world(100, 2)
    plain, ones, uneven = (
        train_ranker(replace(part, weights=weights), valid, SHARES, seed=7, threads=1, plan=FEW_TREES).booster
        for weights in (np.zeros(0), np.ones(300), np.linspace(0.1, 1.9, 300))
    )
    assert plain == ones
    assert plain != uneven


@pytest.mark.parametrize("threads", [1, 2])
def test_shares_are_learned_to_the_same_bit_each_time(threads: int) -> None:
    part, valid = world(300, 1), world(100, 2)
    first, again = (
        train_ranker(part, valid, SHARES, seed=7, threads=threads, plan=FEW_TREES) for _ in range(2)
    )
    assert first.booster == again.booster


def test_what_a_slate_gains_in_all_does_not_make_its_items_better() -> None:
    """Half of the slates gain ten times as much: a feature that tells which ones says nothing of an order."""
    part = world(400, 1)
    rich = np.repeat(np.arange(400) % 2 == 0, part.group_sizes)
    features = part.features.copy()
    features[:, 3] = rich
    trained = train_ranker(
        replace(part, features=features, gains=np.where(rich, part.gains, part.gains / 10)),
        world(100, 2),
        SHARES,
        seed=7,
        threads=1,
    )
    assert trained.importance.get("d", 0.0) < 0.05
