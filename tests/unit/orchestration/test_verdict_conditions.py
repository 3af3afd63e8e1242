from __future__ import annotations

from dataclasses import replace

import numpy as np
from tests.unit.orchestration.test_judge_challenger import NAMES, PICTURES, slates

from letterpress.datasets.temporal_split import Split
from letterpress.evaluation.calibration_error import measure_calibration
from letterpress.orchestration.verdict_conditions import (
    conditions_of,
    drift_of_campaigns,
    measure_rates,
    scoring_time,
)
from letterpress.ranking.bundle import ModelBundle
from letterpress.settings import Home


def bundle() -> ModelBundle:
    return ModelBundle.popularity(
        recommender="image_enhancement",
        features=NAMES,
        schema_hash="abc",
        snapshot="s1",
        score_feature="mobile_share",
    )


def test_campaigns_of_the_test_that_are_like_those_learnt_from_are_no_drift() -> None:
    train, test = slates(2000), slates(800, seed=2)
    alike = Split(train, train, test)
    assert drift_of_campaigns(PICTURES, alike) < 0.1
    other = test.features.copy()
    other[:, NAMES.index("segment_code")] = 4
    changed = Split(train, train, replace(test, features=other))
    assert drift_of_campaigns(PICTURES, changed) > PICTURES.gates.max_drift
    broken = [each.name for each in conditions_of(PICTURES, changed, {}, 100.0) if not each.holds]
    assert broken == ["drift of campaigns"]


def test_only_an_error_of_rates_that_is_certain_breaks_the_condition() -> None:
    random = np.random.default_rng(1)
    trials = random.integers(200, 2000, 4000)
    hits = random.binomial(trials, 0.02)
    split = Split(slates(100), slates(100), slates(100))

    def holds(told: float) -> bool:
        error = measure_calibration(np.full(4000, told), hits, trials, np.arange(4000) // 4, seed=1)
        return conditions_of(PICTURES, split, {"clicked": error}, 100.0)[0].holds

    assert holds(0.024)
    assert not holds(0.03)


def test_a_model_without_fitted_rates_has_none_to_measure() -> None:
    assert measure_rates(PICTURES, Split(slates(9), slates(9), slates(9)), bundle(), seed=1) == {}


def test_a_scoring_time_is_measured_once_for_a_verdict(home: Home) -> None:
    assert 0 < scoring_time(home, bundle(), None) < 5000
    known = {"conditions": [{"name": "scoring of 24 items", "value": 12.5, "limit": 5000.0, "unit": "us"}]}
    assert scoring_time(home, bundle(), known) == 12.5
