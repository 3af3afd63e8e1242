from __future__ import annotations

import numpy as np
import pytest

from letterpress.evaluation.overdispersion import faded_spread, fit_faded_spread


def sigmoid(values: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-values)))


def test_a_known_spread_that_fades_with_evidence_is_found_again() -> None:
    random = np.random.default_rng(5)
    evidence = random.choice(np.array([0.0, 2000.0, 50_000.0]), 20_000)
    spreads = faded_spread(0.08, 0.4, evidence, 2000.0)
    truth = sigmoid(-4.0 - spreads / 2 + np.sqrt(spreads) * random.normal(size=20_000))
    trials = random.integers(500, 4000, 20_000).astype(float)
    hits = random.binomial(trials.astype(int), truth).astype(float)
    spread, fading = fit_faded_spread(
        np.full(20_000, sigmoid(np.array(-4.0))), hits, trials, evidence, 2000.0
    )
    assert spread == pytest.approx(0.08, rel=0.1)
    assert fading == pytest.approx(0.4, abs=0.06)


def test_counting_alone_is_no_spread() -> None:
    random = np.random.default_rng(6)
    trials = np.full(20_000, 1000.0)
    hits = random.binomial(1000, 0.02, 20_000).astype(float)
    spread, _ = fit_faded_spread(np.full(20_000, 0.02), hits, trials, np.zeros(20_000), 2000.0)
    assert spread < 0.003
