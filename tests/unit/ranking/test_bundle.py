from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xgboost

from letterpress.errors import ModelRefusedError, StorageError
from letterpress.ranking.bundle import BOOSTER_NAME, CALIBRATION_NAME, MANIFEST_NAME, ModelBundle
from letterpress.ranking.calibration import declared_calibration
from letterpress.recommenders import get_recommender

FEATURES = ("age", "rate")


def small_booster() -> bytes:
    generator = np.random.default_rng(3)
    features = generator.normal(size=(200, 2)).astype(np.float32)
    matrix = xgboost.DMatrix(features, label=features[:, 0] > 0)
    booster = xgboost.train({"max_depth": 2, "nthread": 1}, matrix, num_boost_round=3)
    return bytes(booster.save_raw("ubj"))


def tree_bundle() -> ModelBundle:
    return ModelBundle.xgboost(
        small_booster(), recommender="pets", features=FEATURES, schema_hash="abc", snapshot="s1"
    )


def popularity_bundle() -> ModelBundle:
    return ModelBundle.popularity(
        recommender="pets", features=FEATURES, schema_hash="abc", snapshot="s1", score_feature="rate"
    )


def test_a_saved_bundle_loads_equal_and_lies_under_its_own_checksum(tmp_path: Path) -> None:
    bundle = tree_bundle()
    path = bundle.save(tmp_path)
    assert path == tmp_path / bundle.sha256[:16]
    assert ModelBundle.load(path) == bundle
    assert not list(tmp_path.glob(".*"))


def test_saving_twice_keeps_one_folder(tmp_path: Path) -> None:
    assert tree_bundle().save(tmp_path) == tree_bundle().save(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1


def test_popularity_scores_its_feature_and_puts_missing_last(tmp_path: Path) -> None:
    scorer = ModelBundle.load(popularity_bundle().save(tmp_path)).scorer()
    scores = scorer.score(np.array([[9, 0.5], [1, np.nan], [2, 0.7]], dtype=np.float32))
    assert scores.tolist() == [0.5, -np.inf, pytest.approx(0.7)]


def test_a_loaded_booster_scores_like_the_one_that_was_saved(tmp_path: Path) -> None:
    features = np.random.default_rng(1).normal(size=(50, 2)).astype(np.float32)
    loaded = ModelBundle.load(tree_bundle().save(tmp_path))
    np.testing.assert_array_equal(
        loaded.scorer().score(features), tree_bundle().scorer(threads=2).score(features)
    )


@pytest.mark.parametrize("name", [BOOSTER_NAME, MANIFEST_NAME])
def test_a_changed_byte_is_refused(tmp_path: Path, name: str) -> None:
    bundle = tree_bundle()
    path = bundle.save(tmp_path)
    content = bytearray((path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (path / name).write_bytes(content)
    with pytest.raises(ModelRefusedError, match="expected"):
        ModelBundle.load(path, sha256=bundle.sha256)


def test_a_missing_booster_is_refused(tmp_path: Path) -> None:
    path = tree_bundle().save(tmp_path)
    (path / BOOSTER_NAME).unlink()
    with pytest.raises(ModelRefusedError, match="found nothing"):
        ModelBundle.load(path)


def test_rates_are_part_of_what_a_bundle_is(tmp_path: Path) -> None:
    calibration = declared_calibration(get_recommender("subject_line"))
    bundle = popularity_bundle().with_calibration(calibration)
    assert bundle.sha256 != popularity_bundle().sha256
    path = bundle.save(tmp_path)
    assert ModelBundle.load(path, sha256=bundle.sha256).read_calibration() == calibration
    assert popularity_bundle().read_calibration() is None
    (path / CALIBRATION_NAME).write_bytes(b"{}")
    with pytest.raises(ModelRefusedError, match=CALIBRATION_NAME):
        ModelBundle.load(path)


def test_a_folder_without_manifest_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="letterpress status"):
        ModelBundle.load(tmp_path)


def test_another_feature_schema_is_refused_with_both_hashes() -> None:
    with pytest.raises(ModelRefusedError, match=r"schema xyz.*found abc"):
        popularity_bundle().require_schema("xyz")


def test_a_score_feature_that_is_not_a_feature_is_refused() -> None:
    with pytest.raises(ModelRefusedError, match="height"):
        ModelBundle.popularity(
            recommender="pets", features=FEATURES, schema_hash="abc", snapshot="s1", score_feature="height"
        )
