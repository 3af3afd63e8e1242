"""What `letterpress serve` hands to BentoML."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from letterpress.cli.serve import published_bento, serve_arguments, serve_environment
from letterpress.clock import ManualClock
from letterpress.ranking.popularity import popularity_bundle
from letterpress.recommenders import get_recommender
from letterpress.registry.packaging import bento_store
from letterpress.registry.publication import publish
from letterpress.settings import Settings

TAG = "ranking:image-enhancement-1"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def publish_with_bento(settings: Settings, recommender: str, tag: str, hour: int) -> None:
    bundle = popularity_bundle(get_recommender(recommender), "s1")
    path = bundle.save(settings.paths.registry / "bundles" / recommender)
    clock = ManualClock(datetime(2026, 1, 5, hour, tzinfo=UTC))
    publish(settings.paths, recommender=recommender, version=1, bento=tag, bundle=path, clock=clock)


def test_without_a_published_bento_the_sources_are_served(settings: Settings) -> None:
    assert serve_arguments(settings, 3456) == [
        "serve",
        str(settings.project / "bentos" / "ranking"),
        "--host",
        "127.0.0.1",
        "--port",
        "3456",
    ]


def test_the_newest_published_bento_that_is_in_the_store_is_served(settings: Settings) -> None:
    publish_with_bento(settings, "image_enhancement", TAG, hour=1)
    publish_with_bento(settings, "open_bandit", "ranking:open-bandit-1", hour=2)
    assert published_bento(settings) is None
    (bento_store(settings.paths) / "bentos" / "ranking" / "image-enhancement-1").mkdir(parents=True)
    assert published_bento(settings) == TAG
    assert serve_arguments(settings, 3456)[1] == TAG


def test_a_given_bento_is_served_whatever_is_published(settings: Settings) -> None:
    assert serve_arguments(settings, 3456, "ranking:other")[1] == "ranking:other"


def test_the_server_keeps_to_the_home_and_reports_to_nobody(settings: Settings) -> None:
    environment = serve_environment(settings)
    assert environment["LETTERPRESS_HOME"] == str(settings.paths.root)
    assert Path(environment["BENTOML_HOME"]).is_dir()
    assert environment["BENTOML_DO_NOT_TRACK"] == "True"
