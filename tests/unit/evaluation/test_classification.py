from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss as their_log_loss
from sklearn.metrics import roc_auc_score

from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.classification import auc, calibration, log_loss


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(2, 60), levels=st.integers(1, 8))
def test_auc_and_log_loss_equal_scikit_learn_with_ties_and_counts(seed: int, rows: int, levels: int) -> None:
    generator = np.random.default_rng(seed)
    predicted = (1 + generator.integers(0, levels, rows)) / (levels + 2)
    trials = generator.integers(0, 4, rows) + (np.arange(rows) < 2)
    hits = generator.binomial(trials, 0.4)
    hits[0], hits[1] = trials[0], 0
    labels, weights = np.repeat([1, 0], rows), np.concatenate([hits, trials - hits])
    twice = np.concatenate([predicted, predicted])
    assert auc(predicted, hits, trials) == pytest.approx(roc_auc_score(labels, twice, sample_weight=weights))
    assert log_loss(predicted, hits, trials) == pytest.approx(
        their_log_loss(labels, twice, sample_weight=weights)
    )


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 80), bins=st.integers(1, 12))
def test_calibration_error_equals_its_plain_definition(seed: int, rows: int, bins: int) -> None:
    generator = np.random.default_rng(seed)
    predicted = generator.permutation(rows) / rows  # no ties: bins of equal size
    hits = generator.integers(0, 2, rows)
    found = calibration(predicted, hits, bins=bins)
    order = np.argsort(predicted)
    total = 0.0
    for place in range(bins):
        rows_of_bin = [row for rank, row in enumerate(order) if int((rank + 0.5) * bins / rows) == place]
        if rows_of_bin:
            total += abs(predicted[rows_of_bin].sum() - hits[rows_of_bin].sum())
    assert found.error == pytest.approx(total / rows)
    assert found.trials.sum() == rows


def test_equal_predictions_share_a_bin() -> None:
    found = calibration(np.full(100, 0.25), np.arange(100) % 4 == 0, bins=10)
    assert len(found.trials) == 1
    assert found.error == pytest.approx(0.0)
    assert found.relative_error == pytest.approx(0.0)


def test_a_forecast_that_is_twice_too_high_is_off_by_its_whole_rate() -> None:
    generator = np.random.default_rng(1)
    rates = generator.uniform(0.01, 0.02, 5000)
    hits = generator.binomial(10_000, rates)
    assert calibration(2 * rates, hits, np.full(5000, 10_000)).relative_error == pytest.approx(1.0, abs=0.01)
    assert calibration(rates, hits, np.full(5000, 10_000)).relative_error < 0.01


def test_the_impossible_costs_infinitely_much() -> None:
    assert log_loss(np.array([0.0]), np.array([1])) == np.inf
    assert log_loss(np.array([0.0, 1.0]), np.array([0, 1])) == 0.0


@pytest.mark.parametrize("hits", [[0, 0], [1, 1]])
def test_labels_that_are_all_equal_are_refused(hits: list[int]) -> None:
    with pytest.raises(NotEnoughDataError, match="hits and misses"):
        auc(np.array([0.1, 0.2]), np.array(hits))


def test_no_trials_are_refused() -> None:
    with pytest.raises(NotEnoughDataError, match="found none"):
        log_loss(np.array([0.5]), np.array([0]), np.array([0]))
    with pytest.raises(NotEnoughDataError, match="found none"):
        calibration(np.array([]), np.array([]))


@pytest.mark.parametrize(
    ("predicted", "hits", "trials"),
    [([np.nan], [1], [1]), ([1.5], [1], [1]), ([0.5], [2], [1]), ([0.5, 0.5], [1], [1])],
)
def test_unsound_counts_are_refused(predicted: list[float], hits: list[int], trials: list[int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        log_loss(np.array(predicted), np.array(hits), np.array(trials))
