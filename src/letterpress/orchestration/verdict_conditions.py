"""What a challenger must keep to beside its gain: rates that can be believed, speed, a test like its past."""

from __future__ import annotations

import time
from collections.abc import Mapping
from statistics import median
from typing import Any

import numpy as np

from letterpress.datasets.gains import hits_and_trials
from letterpress.datasets.temporal_split import Split
from letterpress.evaluation.calibration_error import CalibrationError, measure_calibration
from letterpress.evaluation.stability import stability_index
from letterpress.evaluation.verdict import Condition
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.calibration import completed_calibration
from letterpress.ranking.fit_calibration import expected_rates
from letterpress.ranking.tree_scorer import load_tree_scorer
from letterpress.recommenders import Recommender
from letterpress.settings import Home

SCORING = "scoring of 24 items"
DRIFT = "drift of campaigns"
ITEMS, CALLS = 24, 101


def measure_rates(
    declared: Recommender, split: Split, bundle: ModelBundle, *, seed: int
) -> dict[str, CalibrationError]:
    """How far the rates of fitted targets are from the test's, by target; none where nothing was fitted.

    Of what is to be avoided it is the rate of that, by its name: the rate of its absence is so near to one
    that no error would be a large share of it.
    """
    calibration, test = completed_calibration(bundle.read_calibration(), declared), split.test
    if not test.outcomes:
        return {}
    predicted = expected_rates(calibration, bundle.scorer().score(test.features), test, declared)
    clusters = np.repeat(test.campaign_codes, test.group_sizes)
    found = {}
    for target, rates in zip(declared.targets, calibration.targets, strict=True):
        hits, trials = hits_and_trials(target, test.outcomes)
        told, name = predicted[target.name], target.name
        if target.is_avoided:
            hits, told, name = trials - hits, 1.0 - told, target.numerator
        if rates.facts and hits.any():
            found[name] = measure_calibration(told, hits, trials, clusters, seed=seed)
    return found


def conditions_of(
    declared: Recommender,
    split: Split,
    rates: Mapping[str, CalibrationError],
    scoring_microseconds: float,
) -> list[Condition]:
    """The conditions with what was measured. Of rates it is what is certain, the lower bound."""
    gates = declared.gates
    told = [
        Condition(f"calibration error of {name}, at least", each.low, gates.max_calibration_error)
        for name, each in rates.items()
    ]
    return [
        *told,
        Condition(SCORING, scoring_microseconds, gates.max_scoring_microseconds, "us"),
        Condition(DRIFT, drift_of_campaigns(declared, split), gates.max_drift),
    ]


def drift_of_campaigns(declared: Recommender, split: Split) -> float:
    """The greatest stability index of what is known of campaigns; 0 where nothing is."""
    names = [f"{label}_code" for label, _ in declared.vocabularies] + ["mobile_share"]
    first = [part.features[part.group_offsets[:-1]] for part in (split.train, split.test)]
    places = [split.test.feature_names.index(name) for name in names if name in split.test.feature_names]
    return max((stability_index(first[0][:, at], first[1][:, at]) for at in places), default=0.0)


def scoring_time(home: Home, bundle: ModelBundle, known: Mapping[str, Any] | None) -> float:
    """Median microseconds that the served scorer takes; as it was measured when it was measured before.

    A verdict that is given again must not differ by how busy the machine was.
    """
    for each in (known or {}).get("conditions", []):
        if each["name"] == SCORING:
            return float(each["value"])
    names = bundle.manifest.features
    scorer = bundle.scorer()
    if bundle.booster is not None:
        scorer = load_tree_scorer(bundle.booster, len(names), home.registry / "compiled")
    rows = np.random.default_rng(0).random((ITEMS, len(names))).astype(np.float32)
    seconds = []
    for _ in range(CALLS):
        began = time.perf_counter()
        scorer.score(rows)
        seconds.append(time.perf_counter() - began)
    return round(median(seconds) * 1e6, 1)
