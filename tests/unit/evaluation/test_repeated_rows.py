"""Shares of drawn chances are found again in single outcomes, whatever predictions learnt from them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from letterpress.evaluation.repeated_rows import (
    Belief,
    Singles,
    middle_of,
    shared_share,
    spread_of_share,
)

BELIEVED = Belief(0.2, 0.15)
ITEMS, SEGMENTS, TIMES = 600, 4, 12


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-values)))


def draw(*, looked: float = 1.0, by_item: float = 0.5, by_segment: float = 0.7) -> Singles:
    """Items of which each segment has an opinion of its own, and half of the looks that are taken."""
    random = np.random.default_rng(3)
    items = np.tile(np.repeat(np.arange(ITEMS), SEGMENTS), TIMES)
    segments = np.tile(np.arange(SEGMENTS), ITEMS * TIMES)
    of_item = by_item * random.normal(size=ITEMS)
    of_both = by_segment * random.normal(size=(ITEMS, SEGMENTS))
    truth = sigmoid(-0.4 + of_item[items] + of_both[items, segments])
    seen = (random.random(len(items)) < looked * truth).astype(float)
    return Singles(seen, np.full(len(items), truth.mean()), np.full(len(items), looked), items, [segments])


def true_share(rows: Singles, spread: float) -> float:
    random = np.random.default_rng(4)
    truth = sigmoid(-0.4 + np.sqrt(spread) * random.normal(size=200_000))
    return float(truth.var() / (truth.mean() * (1.0 - truth.mean())))


@pytest.mark.parametrize("looked", [1.0, 0.5])
def test_what_item_and_segment_share_is_found_in_single_yes_or_no_answers(looked: float) -> None:
    rows = draw(looked=looked)
    assert shared_share(rows, BELIEVED) == pytest.approx(true_share(rows, 0.25 + 0.49), rel=0.12)


def test_where_all_chances_are_as_predicted_nothing_is_shared() -> None:
    assert shared_share(draw(by_item=0.0, by_segment=0.0), BELIEVED) < 0.02


def test_predictions_that_learn_from_what_they_are_compared_with_hide_nothing() -> None:
    rows = draw()
    order = np.lexsort([np.arange(len(rows.seen)), rows.groups])
    learnt = np.empty(len(rows.seen))
    by_item = rows.seen[order].reshape(ITEMS, -1)
    before = np.cumsum(by_item, axis=1) - by_item
    learnt[order] = ((before + 20 * rows.known[0]) / (np.arange(by_item.shape[1]) + 20.0)).ravel()
    away, clusters = rows.seen - learnt, rows.groups * SEGMENTS + rows.labels[0]
    naive = np.bincount(clusters, away) ** 2 - np.bincount(clusters, away**2)
    room = np.bincount(clusters, np.sqrt(learnt * (1 - learnt))) ** 2 - np.bincount(
        clusters, learnt * (1 - learnt)
    )
    left = shared_share(rows._replace(known=learnt), BELIEVED)
    assert left > naive.sum() / room.sum() + 0.01
    assert 0.09 < left < true_share(rows, 0.74)


def test_a_log_in_which_nothing_repeats_tells_what_is_believed() -> None:
    rows = draw()
    alone = rows._replace(groups=np.arange(len(rows.seen)))
    assert shared_share(alone, BELIEVED) == BELIEVED.share


def test_few_repeats_hardly_move_what_is_believed() -> None:
    rows = draw(by_item=0.0, by_segment=0.0)
    few = slice(0, 2 * ITEMS * SEGMENTS, 97)
    some = Singles(rows.seen[few], rows.known[few], rows.looked[few], rows.groups[few] // 40, [])
    assert 0.03 < shared_share(some, BELIEVED) < BELIEVED.share + 0.15


def test_the_spread_of_a_share_has_that_share_and_the_mean_that_was_told() -> None:
    random = np.random.default_rng(5)
    spread = spread_of_share(np.full(10, 0.3), 0.2)
    odds = middle_of(np.array([np.log(0.3 / 0.7)]), spread)
    chances = sigmoid(odds + np.sqrt(spread) * random.normal(size=200_000))
    assert chances.mean() == pytest.approx(0.3, abs=0.01)
    assert chances.var() / (0.3 * 0.7) == pytest.approx(0.2, rel=0.04)
