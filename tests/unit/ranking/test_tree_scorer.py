"""The compiled walk against XGBoost itself."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from letterpress.errors import ModelRefusedError
from letterpress.ranking.scorer import BoosterScorer
from letterpress.ranking.tree_scorer import TreeScorer, compile_walk, load_tree_scorer, read_trees

FEATURES = 12


def some_rows(count: int, seed: int, *, missing: float = 0.2) -> NDArray[np.float32]:
    random = np.random.default_rng(seed)
    rows = np.round(random.normal(size=(count, FEATURES)), 1).astype(np.float32)  # ties with thresholds
    rows[random.random(rows.shape) < missing] = np.nan
    return rows


def train(seed: int = 1, *, rounds: int = 30, **parameters: Any) -> bytes:
    rows, random = some_rows(600, seed), np.random.default_rng(seed)
    gains = random.integers(0, 4, 600)
    data = xgboost.DMatrix(rows, gains, qid=np.repeat(np.arange(60), 10))
    settings = {"objective": "rank:ndcg", "max_depth": 6, "nthread": 1, "seed": seed} | parameters
    return bytes(xgboost.train(settings, data, rounds).save_raw("ubj"))


def train_on_categories() -> bytes:
    rows, random = some_rows(600, seed=5, missing=0.0), np.random.default_rng(5)
    rows[:, 0] = random.integers(0, 8, 600)
    kinds = ["c"] + ["q"] * (FEATURES - 1)
    data = xgboost.DMatrix(rows, rows[:, 0] % 3 == 1, feature_types=kinds, enable_categorical=True)
    return bytes(xgboost.train({"max_depth": 3, "nthread": 1}, data, 5).save_raw("ubj"))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"max_depth": 1},
        {"grow_policy": "lossguide", "max_leaves": 17, "max_depth": 0},
        {"objective": "reg:squarederror", "base_score": 0.37},
        {"gamma": 1e9},  # every tree is a single leaf
        {"num_parallel_tree": 3, "subsample": 0.5},
    ],
)
def test_every_score_equals_xgboosts_to_the_last_bit(parameters: dict[str, Any]) -> None:
    booster = train(**parameters)
    scorer = load_tree_scorer(booster, FEATURES)
    assert isinstance(scorer, TreeScorer)
    rows = some_rows(500, seed=2)
    assert np.array_equal(scorer.score(rows), BoosterScorer(booster).score(rows))


BOOSTER = train(seed=3)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(
            st.floats(width=32, allow_infinity=False, allow_nan=True), min_size=FEATURES, max_size=FEATURES
        ),
        min_size=1,
        max_size=5,
    )
)
def test_odd_values_score_as_in_xgboost(rows: list[list[float]]) -> None:
    matrix = np.array(rows, np.float32)
    trees = read_trees(json.loads(bytes(xgboost.Booster(model_file=bytearray(BOOSTER)).save_raw("json"))))
    expected = BoosterScorer(BOOSTER).score(matrix)
    assert np.array_equal(TreeScorer(trees, compile_walk(None)).score(matrix), expected)


def test_one_row_and_no_row_are_scored() -> None:
    scorer = load_tree_scorer(BOOSTER, FEATURES)
    assert scorer.score(some_rows(1, seed=4)).shape == (1,)
    assert scorer.score(np.empty((0, FEATURES), np.float32)).shape == (0,)


def test_what_cannot_be_walked_goes_through_xgboost(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="letterpress"):
        scorer = load_tree_scorer(train_on_categories(), FEATURES)
    assert isinstance(scorer, BoosterScorer)
    assert "fallback=inplace_predict" in caplog.text


def test_a_scorer_that_differs_from_xgboost_is_not_used(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(*arguments: Any) -> None:
        arguments[-1][:] = 1.0

    monkeypatch.setattr("letterpress.ranking.tree_scorer.compile_walk", lambda _folder: wrong)
    with caplog.at_level("WARNING", logger="letterpress"):
        assert isinstance(load_tree_scorer(BOOSTER, FEATURES), BoosterScorer)
    assert "reason=parity" in caplog.text


def test_another_number_of_features_is_refused() -> None:
    with pytest.raises(ModelRefusedError, match="booster of 13 features, found 12"):
        load_tree_scorer(BOOSTER, FEATURES + 1)


def test_a_broken_booster_is_refused() -> None:
    with pytest.raises(ModelRefusedError, match="train again"):
        load_tree_scorer(b"no booster", FEATURES)


def test_machine_code_is_kept_in_the_given_folder_and_a_closed_folder_does_no_harm(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    compile_walk(cache)
    assert list(cache.rglob("*.nbi"))
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(stat.S_IRUSR | stat.S_IXUSR)
    file_in_the_way = tmp_path / "file"
    file_in_the_way.write_text("")  # root may write into a closed folder, but not below a file
    for folder in (closed / "cache", file_in_the_way / "cache"):
        trees = load_tree_scorer(BOOSTER, FEATURES, folder)
        assert isinstance(trees, TreeScorer)
    closed.chmod(stat.S_IRWXU)
