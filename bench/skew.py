"""A hundred thousand served feature vectors, computed again from raw: how many differ, and what it costs."""

from __future__ import annotations

import shutil
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.editor import HOUR, PLACES, RECOMMENDER, serve_slates
from bench.report import Figure, figure, write_result
from letterpress.clock import ManualClock, SystemClock
from letterpress.features import feature_names
from letterpress.orchestration.audit_skew import audit_skew
from letterpress.orchestration.bootstrap_champion import bootstrap_champion
from letterpress.orchestration.build_features import build_features
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.orchestration.publish_features import publish_features
from letterpress.recommenders import get_recommender
from letterpress.settings import ServiceSettings, Settings
from letterpress.simulation.simulate import Plan, simulate

BEGIN, DAYS, HISTORY = datetime(2026, 1, 5, tzinfo=UTC), 9, 6000
PARTS = 3
SLATES = 4_200
"""In each part; a snapshot is published before each."""


def prepare(settings: Settings, clock: ManualClock) -> None:
    """A simulated history through raw and marts into a snapshot, with popularity as the champion."""
    simulate(Plan(DAYS, HISTORY, settings.seed, "steady", BEGIN), settings.paths.landing)
    shutil.rmtree(settings.paths.landing / "truth")
    rebuild(settings, clock)
    bootstrap_champion(settings, RECOMMENDER, clock=clock)


def rebuild(settings: Settings, clock: ManualClock) -> None:
    ingest_landing(settings, clock)
    build_features(settings)
    publish_features(settings, clock=clock)


def serve(settings: Settings, clock: ManualClock) -> None:
    for part in range(PARTS):
        if part:
            rebuild(settings, clock)
        serve_slates(settings, clock, slates=SLATES, seed=part)
        clock.advance(HOUR)
    ingest_landing(settings, clock)


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="letterpress-bench-") as folder:
        settings = Settings(home=Path(folder) / "var", service=ServiceSettings(audit_share=1.0))
        clock = ManualClock(BEGIN + timedelta(days=DAYS, minutes=1))
        prepare(settings, clock)
        serve(settings, clock)
        started = time.process_time()
        found = audit_skew(settings, vectors=PARTS * SLATES * PLACES, clock=clock)
        seconds = time.process_time() - started
    features = len(feature_names(get_recommender(RECOMMENDER)))
    return [
        figure("vectors compared", found["compared"], "vectors", ">= 100000"),
        figure("features of a vector", features, "features"),
        figure("vectors that differ in any bit", found["mismatches"], "vectors", "= 0"),
        figure("audit of 100,000 vectors", seconds * 1e5 / max(1, found["compared"]), "s of CPU"),
    ]


def run(path: Path) -> None:
    write_result(
        path,
        measure(),
        at=SystemClock().now(),
        command="make bench NAME=skew",
        note=(
            "A simulated history of 6,000 slates, then 12,600 slates of the real service in this process, in "
            "three parts with a new snapshot before each: items named, described in full or in part, new, or "
            "retrieved; half of the slates get reactions. All are ingested, and their features are computed "
            "again from raw events alone."
        ),
    )
