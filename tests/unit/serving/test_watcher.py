"""What is published is taken over when it is good, and refused with a reason when it is not."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest
from bench.synthetic_home import publish_model, train_noise, write_snapshot

from letterpress.features import feature_names
from letterpress.lake.snapshot_layout import CURRENT
from letterpress.ranking.tree_scorer import TreeScorer
from letterpress.recommenders import get_recommender
from letterpress.registry.publication import pointer_folder
from letterpress.serving import watcher as module
from letterpress.serving.watcher import Watcher
from letterpress.settings import Home

NAME = "image_enhancement"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(root=tmp_path)
    home.snapshots.mkdir()
    return home


def watch(home: Home) -> Watcher:
    watcher = Watcher(home, Counter(), Counter())
    watcher.look()
    return watcher


def model_of(watcher: Watcher) -> str:
    return watcher.loaded.models[NAME].model


def test_an_empty_home_is_watched_until_something_is_published(home: Home) -> None:
    watcher = watch(home)
    assert (watcher.loaded.models, watcher.loaded.snapshot) == ({}, None)
    snapshot = write_snapshot(home, items=3)
    publish_model(home, version=1)
    watcher.look()
    assert watcher.loaded.snapshot is not None
    assert watcher.loaded.snapshot.snapshot_id == snapshot
    assert model_of(watcher) == f"{NAME}/1"
    assert watcher.loaded.problems == {}


def test_a_newer_model_replaces_the_old_one_in_one_assignment(home: Home) -> None:
    publish_model(home, version=1)
    watcher = watch(home)
    before = watcher.loaded
    publish_model(home, version=2, booster=train_noise(len(feature_names(get_recommender(NAME))), trees=3))
    watcher.look()
    assert before.models[NAME].model == f"{NAME}/1"
    assert model_of(watcher) == f"{NAME}/2"
    assert isinstance(watcher.loaded.models[NAME].scorer, TreeScorer)


def test_a_damaged_bundle_is_refused_and_the_last_good_one_stays(home: Home) -> None:
    publish_model(home, version=1)
    watcher = watch(home)
    publication = publish_model(home, version=2)
    manifest = home.root / publication.bundle / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:-5])
    watcher.look()
    assert model_of(watcher) == f"{NAME}/1"
    assert "sha256" in watcher.loaded.problems[NAME]
    publish_model(home, version=3)
    watcher.look()
    assert model_of(watcher) == f"{NAME}/3"
    assert watcher.loaded.problems == {}


def test_a_model_of_other_features_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as other_build:
        other_build.setattr("bench.synthetic_home.schema_hash", lambda _recommender: "0" * 16)
        publish_model(home, version=1)
    watcher = watch(home)
    assert watcher.loaded.models == {}
    assert "schema" in watcher.loaded.problems[NAME]


def test_a_pointer_that_is_no_pointer_is_refused(home: Home) -> None:
    publish_model(home, version=1)
    watcher = watch(home)
    (pointer_folder(home) / f"{NAME}.json").write_text("{")
    watcher.look()
    assert model_of(watcher) == f"{NAME}/1"
    assert "letterpress promote" in watcher.loaded.problems[NAME]


def test_a_damaged_snapshot_is_refused_and_the_last_good_one_stays(home: Home) -> None:
    good = write_snapshot(home, items=3)
    watcher = watch(home)
    bad = write_snapshot(home, items=3, seed=1)
    with (home.snapshots / bad / NAME / "item.npy").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    watcher.look()
    assert watcher.loaded.snapshot is not None
    assert watcher.loaded.snapshot.snapshot_id == good
    assert "item.npy" in watcher.loaded.problems["snapshot"]
    current = home.snapshots / CURRENT
    current.write_text(json.dumps(json.loads(current.read_text()) | {"snapshot": good}))
    watcher.look()
    assert watcher.loaded.problems == {}


def test_what_was_refused_is_tried_again_after_a_while(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    publication = publish_model(home, version=1)
    folder = home.root / publication.bundle
    aside = folder.with_name("aside")
    folder.rename(aside)
    watcher = watch(home)
    assert watcher.loaded.models == {}
    aside.rename(folder)
    watcher.look()
    assert watcher.loaded.models == {}
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    watcher.look()
    assert model_of(watcher) == f"{NAME}/1"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watcher_that_died_says_so_and_one_that_was_stopped_does_not(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped, died = watch(home), watch(home)
    assert [each.has_died for each in (stopped, died)] == [False, False]
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)
    for watcher in (stopped, died):
        watcher.start()
    stopped.stop()

    def stumble() -> None:
        raise MemoryError

    monkeypatch.setattr(died, "look", stumble)
    deadline = time.monotonic() + 5
    while not died.has_died and time.monotonic() < deadline:
        time.sleep(0.01)
    assert (died.has_died, stopped.has_died) == (True, False)
    died.stop()
