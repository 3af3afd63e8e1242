"""Builds the home that several files of tests begin from; the fixture `trained_home` shares it."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

from letterpress.clock import ManualClock
from letterpress.orchestration.bootstrap_champion import bootstrap_champion
from letterpress.orchestration.build_features import build_features
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.orchestration.publish_features import publish_features
from letterpress.orchestration.train_challenger import train_challenger
from letterpress.settings import Settings
from letterpress.simulation.simulate import Plan, simulate

RECOMMENDER = "image_enhancement"
BEGIN, DAYS, SLATES = datetime(2026, 1, 5, tzinfo=UTC), 9, 6000
END = BEGIN + timedelta(days=DAYS)


def build_trained_home(settings: Settings) -> None:
    """Simulated days through raw and marts into a snapshot, popularity as the champion, a ranker trained."""
    clock = ManualClock(END)
    simulate(Plan(DAYS, SLATES, settings.seed, "steady", BEGIN), settings.paths.landing)
    shutil.rmtree(settings.paths.landing / "truth")
    ingest_landing(settings, clock)
    build_features(settings)
    publish_features(settings, clock=clock)
    bootstrap_champion(settings, RECOMMENDER, clock=clock)
    train_challenger(settings, RECOMMENDER)
