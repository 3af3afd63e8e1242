from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.isotonic import isotonic_table


@given(st.integers(0, 2**32 - 1))
def test_every_score_gets_the_rate_of_an_independent_library(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.permutation(30).astype(float)
    trials = random.integers(1, 50, 30)
    hits = random.binomial(trials, 0.3)
    table = isotonic_table(scores, hits, trials, bins=100_000)
    theirs = IsotonicRegression().fit(scores, hits / trials, sample_weight=trials).predict(scores)
    np.testing.assert_allclose(np.sort(np.unique(theirs.round(9))), np.unique(table.rates.round(9)))


def test_equal_scores_are_never_told_apart_and_bins_hold_noise_down() -> None:
    random = np.random.default_rng(1)
    hits = random.binomial(1, 0.5, 10_000)
    same = isotonic_table(np.zeros(10_000), hits, np.ones(10_000))
    assert (len(same.scores), same.rates[0]) == (1, hits.mean())
    table = isotonic_table(random.random(10_000), hits, np.ones(10_000), bins=10)
    assert len(table.scores) <= 10
    assert (np.diff(table.rates) > 0).all()
    assert (np.diff(table.scores) > 0).all()


def test_a_table_of_no_trials_is_refused() -> None:
    with pytest.raises(NotEnoughDataError, match="found none"):
        isotonic_table(np.ones(3), np.zeros(3), np.zeros(3))
