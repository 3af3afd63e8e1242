from __future__ import annotations

import numpy as np

from letterpress.datasets.training_set import TrainingSet
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.greedy_policy import greedy_policy, value_of_greedy

RATE = ModelBundle.popularity(
    recommender="pets", features=("rate",), schema_hash="abc", snapshot="s1", score_feature="rate"
).scorer()


def single_slots(items: list[int], rates: list[float], positions: list[int]) -> TrainingSet:
    """A log that showed one of five pets at a time; even pets are clicked."""
    count = len(items)
    return TrainingSet(
        feature_names=("rate",),
        features=np.array(rates, dtype=np.float32).reshape(-1, 1),
        gains=np.zeros(count, dtype=np.float32),
        clicks=(np.array(items) % 2 == 0).astype(np.int64),
        position=np.array(positions, dtype=np.int32),
        propensity=np.full(count, 0.25),
        item_codes=np.array(items, dtype=np.int32),
        item_ids=np.array(["ant", "bee", "cat", "dog", "eel"], dtype=object),
        group_offsets=np.arange(count + 1),
        slate_ids=np.arange(count).astype(object),
        campaign_codes=np.zeros(count, dtype=np.int32),
        shown_at=np.arange(count),
    )


HISTORY = single_slots([0, 1, 2, 0], [0.9, 0.5, 0.4, 0.1], [1, 1, 1, 1])


def test_items_are_ranked_by_what_was_known_last_before_the_test() -> None:
    test = single_slots([1, 2, 0, 1, 2], [0.0] * 5, [1, 2, 1, 2, 1])
    found = greedy_policy(RATE, HISTORY, test, slate_size=2)
    assert np.argwhere(found).tolist() == [[1, 0], [2, 1]]  # the slate is bee, cat; ant fell to 0.1


def test_an_item_that_history_never_showed_is_never_shown() -> None:
    test = single_slots([3, 4], [9.0, 9.0], [1, 2])
    assert not greedy_policy(RATE, HISTORY, test, slate_size=3)[3:].any()


def test_the_value_is_that_of_the_rows_that_match() -> None:
    test = single_slots([1, 2, 2, 0], [0.0] * 4, [1, 2, 2, 1])
    value = value_of_greedy(RATE, HISTORY, test, 2, seed=1)
    assert (value.matched_rows, value.matched_clicks) == (3, 2)
    assert value.snips is not None
    assert round(value.snips.mean, 4) == 0.6667


def test_a_slate_of_which_the_test_shows_one_place_is_half_covered() -> None:
    test = single_slots([1, 0, 1, 0], [0.0] * 4, [1, 2, 1, 2])
    assert value_of_greedy(RATE, HISTORY, test, 2, seed=1).covered == 0.5
