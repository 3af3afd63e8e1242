from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.paired_bootstrap import bootstrap_mean, bootstrap_ratio, paired_bootstrap


def test_agrees_with_scipy_on_single_row_clusters() -> None:
    values = np.random.default_rng(11).exponential(size=300)
    ours = bootstrap_mean(values, np.arange(300), rounds=8000, seed=1)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=8000, method="BCa", rng=np.random.default_rng(2)
    ).confidence_interval
    assert ours.low == pytest.approx(theirs.low, abs=0.01)
    assert ours.high == pytest.approx(theirs.high, abs=0.01)


def test_intervals_cover_the_truth_when_rows_of_a_cluster_agree() -> None:
    generator = np.random.default_rng(4)
    covered = naive = 0
    for seed in range(200):
        clusters = np.repeat(np.arange(60), 5)
        values = generator.normal(size=60)[clusters] + 0.2 * generator.normal(size=300)
        interval = bootstrap_mean(values, clusters, rounds=400, seed=seed)
        covered += interval.low <= 0 <= interval.high
        rowwise = bootstrap_mean(values, np.arange(300), rounds=400, seed=seed)
        naive += rowwise.low <= 0 <= rowwise.high
    assert covered >= 180
    assert naive <= 150


def test_pairs_that_move_together_give_a_narrow_interval() -> None:
    generator = np.random.default_rng(9)
    champion = generator.random(500)
    challenger = champion + 0.01 + 0.001 * generator.normal(size=500)
    interval = paired_bootstrap(champion, challenger, np.arange(500), seed=3)
    assert 0.0095 < interval.low < 0.01 < interval.high < 0.0105


def test_groups_without_gain_are_left_out_of_both() -> None:
    champion, challenger = np.array([0.5, np.nan, 0.5]), np.array([0.7, 0.9, 0.7])
    interval = paired_bootstrap(champion, challenger, np.arange(3), seed=1)
    assert interval.mean == pytest.approx(0.2)
    assert interval.clusters == 2


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.random.default_rng(0).random(100)
    assert bootstrap_mean(values, np.arange(100), seed=5) == bootstrap_mean(values, np.arange(100), seed=5)


def test_one_cluster_is_refused() -> None:
    with pytest.raises(NotEnoughDataError, match="2 clusters"):
        bootstrap_mean(np.ones(5), np.zeros(5, dtype=int), seed=1)


def test_a_ratio_is_of_sums_and_not_of_means() -> None:
    interval = bootstrap_ratio(np.array([1.0, 2.0]), np.array([1.0, 9.0]), np.arange(2), seed=1)
    assert interval.mean == pytest.approx(0.3)
