from __future__ import annotations

import numpy as np
import pytest

from letterpress.evaluation.calibration_error import measure_calibration
from letterpress.evaluation.stability import stability_index


def counts(seed: int, factor: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    told = random.uniform(0.01, 0.03, 6000)
    trials = random.integers(200, 2000, 6000)
    return told, random.binomial(trials, told * factor), trials, np.arange(6000) // 6


def test_rates_that_are_off_by_a_fifth_are_found_to_be_so() -> None:
    told, hits, trials, clusters = counts(1, 1.25)
    found = measure_calibration(told, hits, trials, clusters, seed=7)
    assert found.relative == pytest.approx(0.2, abs=0.01)
    assert found.low < 0.2 < found.high
    assert found.low > 0.18


def test_noise_of_counting_is_no_certain_error() -> None:
    lows = [measure_calibration(*counts(seed, 1.0), seed=7).low for seed in range(20)]
    assert max(lows) < 0.02
    assert measure_calibration(*counts(1, 1.0), seed=7).relative < 0.03


def test_the_same_seed_gives_the_same_interval() -> None:
    one, other = (measure_calibration(*counts(3, 1.1), seed=5) for _ in range(2))
    assert (one.low, one.high) == (other.low, other.high)


def test_campaigns_of_another_kind_are_a_drift_and_more_of_the_same_are_none() -> None:
    random = np.random.default_rng(2)
    before, same = random.integers(0, 5, 5000).astype(float), random.integers(0, 5, 1000).astype(float)
    assert stability_index(before, same) < 0.03
    assert stability_index(before, np.where(same == 4, 0.0, same)) > 0.25
    assert stability_index(before, np.where(same == 4, np.nan, same)) > 0.25
    assert stability_index(random.normal(size=5000), random.normal(1.5, 1.0, 1000)) > 1
