"""Rates that are told of items hold the true rates of a world that is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.integration.trained_home import BEGIN, DAYS, RECOMMENDER, SLATES

from letterpress.datasets.training_arrays import SEPARATOR
from letterpress.datasets.training_set import TrainingSet
from letterpress.lake.snapshots import Snapshot
from letterpress.orchestration.train_challenger import split_snapshot
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.fit_calibration import relative_scores
from letterpress.ranking.predicted_rates import HIGH, LOW, RATE, RatePredictor, known_scores
from letterpress.recommenders import get_recommender
from letterpress.registry.store import model_version
from letterpress.settings import Settings
from letterpress.simulation.simulate import Plan, simulate
from letterpress.simulation.truth import Truth

DECILES = 10


@pytest.fixture(scope="module")
def later_part(trained_home: Path) -> TrainingSet:
    """Slates that no model of the home learnt from, and all of them later."""
    snapshot = Snapshot.open(Settings(home=trained_home).paths)
    return split_snapshot(snapshot, get_recommender(RECOMMENDER)).test


@pytest.fixture(scope="module")
def true_rates(later_part: TrainingSet, tmp_path_factory: pytest.TempPathFactory) -> NDArray[np.float64]:
    """The true click rate of every row, by running the home's simulation again for its truth."""
    out = tmp_path_factory.mktemp("world")
    simulate(Plan(DAYS, SLATES, Settings().seed, "steady", BEGIN), out)
    columns = Truth.open(out).slates().select(["slate_id", "shown_rates", "click_factor"]).to_pydict()
    shown = {slate: np.array(rates) * factor for slate, rates, factor in zip(*columns.values(), strict=True)}
    slates = [shown[each.rpartition(SEPARATOR)[2]] for each in later_part.slate_ids]
    ends = zip(later_part.group_offsets[:-1], later_part.group_offsets[1:], strict=True)
    places = [later_part.position[first:end] - 1 for first, end in ends]
    return np.concatenate([rates[place] for rates, place in zip(slates, places, strict=True)])


def predict_clicks(bundle: ModelBundle, part: TrainingSet) -> NDArray[np.float64]:
    calibration = bundle.read_calibration()
    assert calibration is not None
    predictor = RatePredictor(calibration, part.feature_names)
    scores = known_scores(bundle.scorer().score(part.features))
    positions = part.position.astype(np.float64)
    rates = predictor.predict(scores, relative_scores(scores, part), part.features, positions)
    return rates[:, predictor.targets.index("clicked")]


@pytest.mark.parametrize(("version", "kind"), [(1, "popularity"), (2, "xgboost")])
def test_intervals_hold_the_true_click_rate_however_little_was_counted_of_an_item(
    trained_home: Path, later_part: TrainingSet, true_rates: NDArray[np.float64], version: int, kind: str
) -> None:
    bundle = model_version(Settings(home=trained_home).paths, RECOMMENDER, version).open_bundle()
    assert bundle.manifest.kind == kind
    rates = predict_clicks(bundle, later_part)
    is_held = (rates[:, LOW] <= true_rates) & (true_rates <= rates[:, HIGH])
    ranks = np.argsort(np.argsort(later_part.column("item_delivered"), kind="stable"))
    deciles = ranks * DECILES // len(ranks)
    held = np.bincount(deciles, is_held) / np.bincount(deciles)
    assert held.min() >= 0.90, held
    assert held.max() <= 0.97, held


def test_the_ranker_tells_rates_apart_better_than_popularity_does(
    trained_home: Path, later_part: TrainingSet, true_rates: NDArray[np.float64]
) -> None:
    home = Settings(home=trained_home).paths

    def correlation(version: int) -> float:
        rates = predict_clicks(model_version(home, RECOMMENDER, version).open_bundle(), later_part)[:, RATE]
        return float(np.corrcoef(np.log(rates), np.log(true_rates))[0, 1])

    assert correlation(2) > correlation(1)
