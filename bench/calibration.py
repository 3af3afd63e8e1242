"""`calibration`: how often intervals hold the true rates of all targets of simulated worlds, and their width.

By tenths of the evidence of the item: the first tenth are the items of which least was counted. Goals were
fixed here before the run.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.report import Figure, figure, write_result
from bench.true_rates import read_norms, true_rates
from letterpress.clock import ManualClock, SystemClock
from letterpress.datasets.temporal_split import Split
from letterpress.datasets.training_set import TrainingSet
from letterpress.lake.snapshots import Snapshot
from letterpress.orchestration.build_features import build_features
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.orchestration.publish_features import publish_features
from letterpress.orchestration.train_challenger import split_snapshot
from letterpress.ranking.bundle import ModelBundle
from letterpress.ranking.calibration import declared_calibration
from letterpress.ranking.fit_calibration import relative_scores
from letterpress.ranking.popularity import calibrated_popularity
from letterpress.ranking.predicted_rates import HIGH, LOW, RATE, RatePredictor, known_scores
from letterpress.ranking.train_bundle import train_bundle
from letterpress.recommenders import get_recommender
from letterpress.settings import Settings, read_settings
from letterpress.simulation.simulate import Plan, simulate
from letterpress.simulation.truth import TRUTH
from letterpress.simulation.world import build_world as known_effects

Floats = NDArray[np.float64]

RECOMMENDER = get_recommender("image_enhancement")
BEGIN, DAYS, SLATES = datetime(2026, 1, 5, tzinfo=UTC), 14, 12_000
WORLDS = (21, 22, 23, 31, 32, 33)
TENTHS, CALLS, SHOWN = 10, 5_000, 8


@dataclass(frozen=True, slots=True)
class Held:
    """Rows of the test of one world."""

    tenths: NDArray[np.int64]
    rates: Floats
    """`(n, n_targets, 3)`: rate, low and high."""
    truth: Floats
    """`(n, n_targets)`; NaN where there is none."""


def build_world(settings: Settings, seed: int) -> tuple[Split, str]:
    """The split of a simulated log, whose truth stays beside its home; and its snapshot."""
    clock = ManualClock(BEGIN + timedelta(days=DAYS))
    landing = settings.paths.landing
    simulate(Plan(DAYS, SLATES, seed, "steady", BEGIN), landing)
    (landing / TRUTH).rename(settings.paths.root / TRUTH)
    ingest_landing(settings, clock)
    build_features(settings)
    publish_features(settings, clock=clock)
    snapshot = Snapshot.open(settings.paths)
    return split_snapshot(snapshot, RECOMMENDER), snapshot.snapshot_id


def truth_of(settings: Settings, seed: int, part: TrainingSet) -> Floats:
    """The truth `(n, n_targets)` of every row of `part`."""
    plan, norms = Plan(DAYS, SLATES, seed, "steady", BEGIN), read_norms(settings.paths, part)
    found = true_rates(known_effects(seed, DAYS), plan, part, norms)
    return np.column_stack([found[target.name] for target in RECOMMENDER.targets])


def held_by(bundle: ModelBundle, part: TrainingSet, truth: Floats) -> Held:
    """What `bundle` tells of the rows of `part`."""
    predictor = RatePredictor(
        bundle.read_calibration() or declared_calibration(RECOMMENDER), part.feature_names
    )
    scores = known_scores(bundle.scorer().score(part.features))
    positions = part.position.astype(np.float64)
    rates = predictor.predict(scores, relative_scores(scores, part), part.features, positions)
    ranks = np.argsort(np.argsort(part.column("item_delivered"), kind="stable"))
    return Held(ranks * TENTHS // len(ranks), rates, truth)


def describe(name: str, worlds: list[Held]) -> Iterator[Figure]:
    """For each target shares of true rates held, by tenth over all worlds, and widths."""
    tenths, rates, truth = (
        np.concatenate([getattr(each, part) for each in worlds]) for part in ("tenths", "rates", "truth")
    )
    for place, target in enumerate(RECOMMENDER.targets):
        known = ~np.isnan(truth[:, place])
        yield from describe_target(
            f"{name}, {target.name}", tenths[known], rates[known, place], truth[known, place]
        )


def describe_target(name: str, tenths: NDArray[np.int64], rates: Floats, truth: Floats) -> Iterator[Figure]:
    """Shares held by the intervals of one target, and their width."""
    held = (rates[:, LOW] <= truth) & (truth <= rates[:, HIGH])
    by_tenth = np.bincount(tenths, held) / np.bincount(tenths)
    widths = rates[:, HIGH] - rates[:, LOW]
    yield figure(f"{name}: true rates held, all", float(held.mean()), "share")
    yield figure(f"{name}: true rates held, lowest tenth of evidence", float(by_tenth[0]), "share", ">= 0.9")
    yield figure(f"{name}: true rates held, least of ten tenths", float(by_tenth.min()), "share", ">= 0.9")
    yield figure(f"{name}: true rates held, most of ten tenths", float(by_tenth.max()), "share", "< 0.97")
    yield figure(f"{name}: mean width", 100 * float(widths.mean()), "points")
    usual = np.minimum(rates[:, RATE], 1.0 - rates[:, RATE])
    yield figure(
        f"{name}: mean width as a share of the rate or of its rest",
        float((widths / usual).mean()),
        "",
    )
    yield figure(
        f"{name}: mean rate told over mean true rate", float(rates[:, RATE].mean() / truth.mean()), ""
    )


def microseconds_a_slate(bundle: ModelBundle, part: TrainingSet) -> float:
    """Time of the rates of eight items for every target."""
    predictor = RatePredictor(
        bundle.read_calibration() or declared_calibration(RECOMMENDER), part.feature_names
    )
    features = np.ascontiguousarray(part.features[:SHOWN])
    scores, positions = np.linspace(-0.3, 0.3, SHOWN), np.arange(1.0, SHOWN + 1)
    began = time.perf_counter()
    for _ in range(CALLS):
        predictor.predict(scores, scores, features, positions)
    return (time.perf_counter() - began) / CALLS * 1e6


def run(path: Path) -> None:
    """Measure and write `path`."""
    found: dict[str, list[Held]] = {"ranker": [], "popularity": []}
    base, microseconds = read_settings(), 0.0
    for seed in WORLDS:
        with tempfile.TemporaryDirectory(prefix="letterpress-bench-") as name:
            settings = base.model_copy(update={"home": Path(name) / "home"})
            split, snapshot = build_world(settings, seed)
            truth = truth_of(settings, seed, split.test)
            ranker = train_bundle(RECOMMENDER, split, snapshot=snapshot, seed=base.seed, threads=base.threads)
            popularity = calibrated_popularity(RECOMMENDER, snapshot, split)
            found["ranker"].append(held_by(ranker, split.test, truth))
            found["popularity"].append(held_by(popularity, split.test, truth))
            microseconds = microseconds_a_slate(ranker, split.test)
    figures = [each for name, worlds in found.items() for each in describe(name, worlds)]
    figures.append(figure(f"time of the rates of {SHOWN} items", microseconds, "us"))
    note = (
        f"{len(WORLDS)} worlds of {DAYS} days and {SLATES:,} slates; rates are told of all items shown in "
        "the newest quarter, whether they were sent or not. Intervals of 95 %. Tenths are of the item's "
        "deliveries known at the time. The truth of a choice is its chance in that slate and order, that of "
        "a score what it is expected to be when sent."
    )
    write_result(path, figures, at=SystemClock().now(), command="make bench NAME=calibration", note=note)
