from __future__ import annotations

import math

import numpy as np
import pytest
from bench.resiliency import draw_paths
from numpy.typing import NDArray

from letterpress.evaluation.associations import associations
from letterpress.evaluation.resiliency import half_life_of, half_lives_by_feature

Floats = NDArray[np.float64]


def draw(
    rng: np.random.Generator, paths: Floats
) -> tuple[Floats, Floats, NDArray[np.int64], NDArray[np.int64]]:
    """Slates of four, ten in each window: features, gains, offsets, windows."""
    windows = np.repeat(np.arange(len(paths)), 10)
    features = rng.normal(size=(len(windows) * 4, paths.shape[1]))
    gains = (features * paths[np.repeat(windows, 4)]).sum(axis=1)
    return features, gains, np.arange(0, len(gains) + 1, 4), windows


def test_slopes_are_those_of_the_window_within_the_slate() -> None:
    rng = np.random.default_rng(3)
    features, gains, offsets, windows = draw(rng, np.repeat([[1.0], [-2.0]], 4, axis=0))
    lifted = gains + np.repeat(rng.normal(size=len(windows)) * 50, 4)  # what a slate shares is no slope
    found = associations(features, lifted, offsets, windows).slopes[:, 0]
    assert found == pytest.approx(np.repeat([1.0, -2.0], 4) * found[0], abs=0.02)


def test_missing_and_constant_features_teach_nothing_and_harm_nothing() -> None:
    rng = np.random.default_rng(3)
    features, gains, offsets, windows = draw(rng, draw_paths(rng, np.full(3, 10.0), 10))
    whole = associations(features, gains, offsets, windows)
    constant, of_slate = np.full(len(features), 7.0), np.repeat(rng.normal(size=len(windows)) + 9, 4)
    spoilt = np.column_stack([features, constant, of_slate, np.full(len(features), np.nan)])
    found = associations(spoilt, gains, offsets, windows)
    assert np.array_equal(found.slopes[:, :3], whole.slopes)
    assert not found.slopes[:, 3:].any()
    times = np.arange(10.0)
    assert half_lives_by_feature(found.slopes, times)[3:] == [None, None, None]
    assert half_life_of(found.components, times) == half_life_of(whole.components, times)


def test_a_feature_that_is_there_three_times_counts_once() -> None:
    rng = np.random.default_rng(5)
    features, gains, offsets, windows = draw(rng, draw_paths(rng, np.full(8, 10.0), 40))
    noise = rng.normal(size=gains.shape)
    thrice = np.tile(features, (1, 3)) + 1e-4 * rng.normal(size=(len(features), 24))
    bare, copied = (
        half_life_of(associations(each, gains + noise, offsets, windows).components, np.arange(40.0))
        for each in (features, thrice)
    )
    assert copied.days == pytest.approx(bare.days, rel=0.1)
    assert math.log(copied.high / copied.low) > 0.7 * math.log(bare.high / bare.low)
