from __future__ import annotations

import math
from statistics import median

import numpy as np
import pytest
from bench.resiliency import draw_paths
from numpy.typing import NDArray

from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.resiliency import (
    HalfLife,
    half_life_of,
    half_lives_by_feature,
)

Floats = NDArray[np.float64]
DAYS = np.arange(120.0)


def noisy(rng: np.random.Generator, half_life: float, *, features: int = 30) -> Floats:
    """What is seen of paths of that half-life: as much noise as path."""
    paths = draw_paths(rng, np.full(features, half_life), len(DAYS))
    return paths + rng.normal(size=paths.shape)


def still(rng: np.random.Generator, *, features: int = 30) -> Floats:
    return np.tile(rng.normal(size=features), (len(DAYS), 1)) + rng.normal(size=(len(DAYS), features))


@pytest.mark.parametrize("half_life", [5.0, 20.0])
def test_the_half_life_of_known_paths_is_recovered_within_a_fifth(half_life: float) -> None:
    found = [half_life_of(noisy(np.random.default_rng(seed), half_life), DAYS) for seed in range(9)]
    assert median(each.days for each in found) == pytest.approx(half_life, rel=0.2)
    assert sum(each.low <= half_life <= each.high for each in found) >= 7
    assert all(each.is_demonstrated for each in found)


def test_the_half_life_is_in_days_however_the_windows_lie() -> None:
    rng = np.random.default_rng(4)
    slopes = noisy(rng, 10.0, features=60)
    kept = np.sort(rng.choice(len(DAYS), 60, replace=False))
    assert half_life_of(slopes[kept], DAYS[kept]).days == pytest.approx(10.0, rel=0.25)
    assert half_life_of(slopes, DAYS / 2).days == pytest.approx(half_life_of(slopes, DAYS).days / 2)


def test_decay_is_not_claimed_where_nothing_moves() -> None:
    found = [half_life_of(still(np.random.default_rng(seed)), DAYS) for seed in range(20)]
    assert sum(each.is_demonstrated for each in found) <= 1


def test_two_paths_that_carry_everything_are_not_taken_for_many() -> None:
    scale = np.r_[np.full(2, 3.0), np.full(22, 0.05)]
    held = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        paths = draw_paths(rng, np.full(24, 10.0), len(DAYS)) * scale
        found = half_life_of(paths + rng.normal(size=paths.shape), DAYS)
        held.append(found.low <= 10.0 <= found.high)
    assert sum(held) >= 10


def test_features_that_age_are_told_from_those_that_last() -> None:
    rng = np.random.default_rng(2)
    paths = draw_paths(rng, np.repeat([2.0, 60.0], 20), len(DAYS)) + 0.3 * rng.normal(size=(len(DAYS), 40))
    found = [np.inf if each is None else each.days for each in half_lives_by_feature(paths, DAYS)]
    assert median(found[:20]) < 5
    assert median(found[20:]) > 12


def test_too_few_windows_and_noise_alone_are_refused() -> None:
    with pytest.raises(NotEnoughDataError, match="found 5"):
        half_life_of(np.ones((5, 5)), np.arange(5.0))
    with pytest.raises(NotEnoughDataError, match="found no such thing"):
        half_life_of(np.random.default_rng(1).normal(size=(40, 5)), np.arange(40.0))


def test_no_decay_is_null_in_the_record_and_weighs_nothing() -> None:
    none = HalfLife(np.inf, 90.0, np.inf)
    assert none.as_numbers() == {"days": None, "low": 90.0, "high": None, "is_demonstrated": False}
    assert none.weights(np.array([0.0, 400.0])).tolist() == [1.0, 1.0]
    assert none.look_back() == math.inf
