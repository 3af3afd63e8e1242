"""A view on trial, on the training set of a simulated home: what helps passes, what cheats is caught."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.integration.trained_home import END, RECOMMENDER

from letterpress.clock import ManualClock
from letterpress.errors import UsageError
from letterpress.features import Columns, Feature, FeatureView
from letterpress.features.views import VIEWS, trial_plan
from letterpress.lake.snapshots import Snapshot
from letterpress.orchestration.admit_view import admit_view
from letterpress.orchestration.feature_catalogue import feature_catalogue
from letterpress.orchestration.feature_coverage import ROWS, newest_rows
from letterpress.ranking.admission import check_coverage, check_known_at, compute_trial, with_view
from letterpress.recommenders import RECOMMENDERS, get_recommender
from letterpress.registry.admissions import read_admissions
from letterpress.settings import Settings
from letterpress.site.features_page import PAGE, write_features_page

PICTURES = get_recommender(RECOMMENDER)
CLOCK = ManualClock(END)


def declare(monkeypatch: pytest.MonkeyPatch, fill: Any) -> None:
    """A view `fresh` of one feature."""
    trial_plan.cache_clear()
    feature = Feature("fresh", "item", "1", "A feature that is new.", "new")
    monkeypatch.setitem(VIEWS, "fresh", lambda _recommender: FeatureView("fresh", (feature,), fill))


@pytest.fixture
def rows(trained_home: Path) -> Any:
    home = Settings(home=trained_home).paths
    return newest_rows(Snapshot.open(home).training_path(RECOMMENDER), ROWS)


def test_a_view_that_helps_is_tried_on_the_snapshot_and_the_record_holds_every_number(
    trained_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained_home, tmp_path / "var")
    settings = Settings(home=tmp_path / "var")
    views = tuple(each for each in PICTURES.feature_views if each != "picture")
    monkeypatch.setitem(RECOMMENDERS, RECOMMENDER, replace(PICTURES, feature_views=views))
    record = admit_view(settings, "picture", RECOMMENDER, clock=CLOCK)
    checks = {each["name"]: each for each in record["checks"]}
    assert set(checks) == {
        "known at the time",
        "no single feature knows",
        "coverage",
        "cost of a request",
        "ablation",
    }
    assert [name for name, each in checks.items() if not each["passed"] and name != "cost of a request"] == []
    change = record["ndcg_change"]
    assert 0 < change["low"] < change["high"]
    assert change["clusters"] > 100
    (kept,) = read_admissions(settings.paths)
    assert (kept.view, kept.snapshot, kept.passed) == ("picture", record["snapshot"], record["passed"])
    monkeypatch.undo()
    write_features_page(settings.paths.site, feature_catalogue(settings))
    assert "<code>picture</code> for image enhancement" in (settings.paths.site / PAGE).read_text()


def test_a_view_that_looks_at_the_other_rows_is_caught(rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def rank_among_all(columns: Columns, out: NDArray[np.float32]) -> None:
        out[0] = np.argsort(np.argsort(columns.attributes[0]))

    declare(monkeypatch, rank_among_all)
    check = check_known_at(with_view(PICTURES, "fresh"), rows)
    assert not check.passed
    assert "depends on other rows" in check.found


def test_a_view_that_is_mostly_missing_or_always_the_same_is_refused(
    rows: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_constant(columns: Columns, out: NDArray[np.float32]) -> None:
        out[0] = 3.0

    declare(monkeypatch, fill_constant)
    trial = with_view(PICTURES, "fresh")
    check = check_coverage(trial, compute_trial(trial, rows))
    assert not check.passed
    assert "fresh is always 3" in check.found

    def fill_nothing(columns: Columns, out: NDArray[np.float32]) -> None:
        out[0] = np.nan

    declare(monkeypatch, fill_nothing)
    assert not check_coverage(trial, compute_trial(trial, rows)).passed


@pytest.mark.parametrize(
    ("view", "recommender", "said"),
    [
        ("nobodys", RECOMMENDER, "expected one of the views"),
        ("picture", RECOMMENDER, "it has it already"),
        ("send_time", "open_bandit", "judged by snips"),
    ],
)
def test_what_cannot_be_tried_says_why(settings: Settings, view: str, recommender: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        admit_view(settings, view, recommender, clock=CLOCK)
