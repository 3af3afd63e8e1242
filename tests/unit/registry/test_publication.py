from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from letterpress.clock import ManualClock
from letterpress.errors import ModelRefusedError, StorageError
from letterpress.ranking.bundle import MANIFEST_NAME, ModelBundle
from letterpress.registry.features_in_use import features_in_use
from letterpress.registry.publication import Publication, pointer_folder, publish, published
from letterpress.settings import Home

CLOCK = ManualClock(datetime(2026, 1, 5, tzinfo=UTC))


def save_bundle(home: Home, snapshot: str = "s1") -> Path:
    bundle = ModelBundle.popularity(
        recommender="pets",
        features=("rate", "age"),
        schema_hash="abc",
        snapshot=snapshot,
        score_feature="rate",
    )
    return bundle.save(home.registry / "bundles" / "pets")


def publish_pets(home: Home, bundle: Path, version: int = 1) -> Publication:
    return publish(home, recommender="pets", version=version, bento="ranking:x", bundle=bundle, clock=CLOCK)


def test_what_was_published_is_read_back_and_opens(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    written = publish_pets(home, save_bundle(home))
    assert published(home) == {"pets": written}
    assert (written.recommender, written.version) == ("pets", 1)
    assert written.open_bundle(home).manifest.snapshot == "s1"


def test_a_feature_that_a_model_never_looks_at_is_not_in_use(tmp_path: Path) -> None:
    home = Home(root=tmp_path)

    publish_pets(home, save_bundle(home))

    assert set(features_in_use(home, "pets")) == {"rate"}


def test_publishing_the_same_again_leaves_the_pointer_alone(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    bundle = save_bundle(home)
    first = publish_pets(home, bundle)
    CLOCK.advance(timedelta(hours=1))
    assert publish_pets(home, bundle) == first


def test_a_damaged_bundle_never_becomes_the_pointer(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    first = publish_pets(home, save_bundle(home))
    damaged = save_bundle(home, snapshot="s2")
    (damaged / MANIFEST_NAME).write_bytes(b"{")
    with pytest.raises(ModelRefusedError):
        publish_pets(home, damaged, version=2)
    assert published(home) == {"pets": first}


def test_nothing_is_published_in_a_new_home(tmp_path: Path) -> None:
    assert published(Home(root=tmp_path)) == {}


def test_a_pointer_that_is_not_json_says_how_to_write_it_again(tmp_path: Path) -> None:
    home = Home(root=tmp_path)
    pointer_folder(home).mkdir(parents=True)
    (pointer_folder(home) / "pets.json").write_text("{")
    with pytest.raises(StorageError, match="letterpress promote --recommender pets"):
        published(home)
