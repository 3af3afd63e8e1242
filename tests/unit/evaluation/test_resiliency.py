from __future__ import annotations

from statistics import median

import numpy as np
import pytest
from bench.resiliency import draw_log, draw_paths, ndcg_of_weighted, recover

from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.resiliency import (
    HalfLife,
    associations,
    half_life_of,
    half_lives_by_feature,
    transfers,
)


@pytest.mark.parametrize("half_life", [5.0, 20.0])
def test_the_half_life_of_a_known_world_is_recovered_within_a_fifth(half_life: float) -> None:
    found = [recover(half_life, seed)[0] for seed in range(3)]
    assert median(found) == pytest.approx(half_life, rel=0.2)


def test_an_exact_decay_is_found_exactly() -> None:
    lags = np.abs(np.subtract.outer(np.arange(40), np.arange(40)))
    found = half_life_of(np.exp2(-lags / 8.0))
    assert found.windows == pytest.approx(8.0, rel=0.02)
    assert found.high == pytest.approx(found.low)


def test_a_world_that_stands_still_has_no_half_life() -> None:
    rng = np.random.default_rng(1)
    paths = np.tile(rng.normal(size=40), (40, 1))
    found = half_life_of(transfers(associations(*draw_log(rng, paths))))
    assert found.windows > 200
    assert found.weights(np.array([0.0, 40.0]))[1] > 0.85


def test_features_that_age_are_told_from_those_that_last() -> None:
    rng = np.random.default_rng(2)
    half_lives = np.repeat([2.0, 60.0], 20)
    slopes = associations(*draw_log(rng, draw_paths(rng, half_lives, 120)))
    found = [np.inf if each is None else each.windows for each in half_lives_by_feature(slopes)]
    assert median(found[:20]) < 5
    assert median(found[20:]) > 12


def test_weights_by_age_order_the_newest_slates_better_under_drift() -> None:
    uniform, weighted = ndcg_of_weighted(10.0, seed=1)
    assert weighted > uniform


def test_missing_and_constant_features_teach_nothing_and_harm_nothing() -> None:
    rng = np.random.default_rng(3)
    features, gains, offsets, windows = draw_log(rng, draw_paths(rng, np.full(3, 10.0), 10))
    whole = associations(features, gains, offsets, windows)
    spoilt = np.column_stack([features, np.full(len(features), 7.0), np.full(len(features), np.nan)])
    found = associations(spoilt, gains, offsets, windows)
    assert np.array_equal(found[:, :3], whole)
    assert not found[:, 3:].any()
    assert half_lives_by_feature(found)[3:] == [None, None]


def test_too_few_windows_and_noise_alone_are_refused() -> None:
    with pytest.raises(NotEnoughDataError, match="found 5"):
        half_life_of(np.ones((5, 5)))
    with pytest.raises(NotEnoughDataError, match="found no gain"):
        half_life_of(-np.ones((8, 8)))


def test_no_decay_is_null_in_the_record() -> None:
    assert HalfLife(np.inf, 90.0, np.inf).as_numbers() == {"windows": None, "low": 90.0, "high": None}
