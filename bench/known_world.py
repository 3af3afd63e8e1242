"""A simulated log through the platform's own lake, and what its later slates are truly worth.

What an item is expected to gain is the mean gain over many times that the simulated builders and
recipients react to the same slate anew, in places drawn anew.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from letterpress.clock import ManualClock
from letterpress.datasets.gains import blended_gains
from letterpress.datasets.read_training_set import read_training_set
from letterpress.datasets.temporal_split import Split
from letterpress.datasets.training_arrays import SEPARATOR
from letterpress.datasets.training_set import TrainingSet
from letterpress.lake.snapshots import Snapshot
from letterpress.orchestration.build_features import run_dbt, start_build
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.orchestration.publish_features import publish_features
from letterpress.orchestration.train_challenger import split_snapshot
from letterpress.recommenders import Recommender, get_recommender
from letterpress.settings import Settings
from letterpress.simulation.behaviour import Shown, choose
from letterpress.simulation.campaigns import DAY, Slates, make_slates
from letterpress.simulation.event_lines import slate_ids
from letterpress.simulation.seasons import click_factors
from letterpress.simulation.simulate import Plan, simulate
from letterpress.simulation.world import World, build_world

Floats = NDArray[np.float64]

RECOMMENDER = "image_enhancement"
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 7
REDRAWS = 100
_MEAN_LOG_SENDS = (np.log(200), np.log(5000))


def known_in_a_week() -> Recommender:
    """The recommender with the targets whose outcomes a world of a week holds: the e-mail score warms up."""
    declared = get_recommender(RECOMMENDER)
    return replace(declared, targets=tuple(each for each in declared.targets if not each.warm_up_hours))


@dataclass(frozen=True, slots=True)
class KnownWorld:
    """What the platform read of a simulated log, and the truth of what came later than it learnt from."""

    plan: Plan
    recommender: Recommender
    snapshot: str
    split: Split
    later: TrainingSet
    """Every slate from the first of the test on, those among them whose outcomes are not known yet."""
    expected: Floats
    """Of each row of `later`, what it is expected to gain when its slate is shown in any order."""


def open_world(
    seed: int, slates: int, *, before_ingest: Callable[[Path], None] = lambda _landing: None
) -> KnownWorld:
    """The world of `seed`: simulated, ingested, built by dbt, published and split, in a folder that is gone
    afterwards.

    `before_ingest` may change the files of landing.
    """
    plan = Plan(DAYS, slates, seed, "steady", BEGIN)
    recommender = known_in_a_week()
    with tempfile.TemporaryDirectory(prefix="letterpress-bench-") as folder:
        settings = Settings(home=Path(folder) / "var", threads=1)
        snapshot = _publish(settings, plan, before_ingest)
        split = split_snapshot(snapshot, recommender)
        later = _slates_from(snapshot, recommender, int(split.test.shown_at.min()))
    return KnownWorld(
        plan, recommender, snapshot.snapshot_id, split, later, expected_gains(plan, recommender, later)
    )


def _publish(settings: Settings, plan: Plan, before_ingest: Callable[[Path], None]) -> Snapshot:
    clock, landing = ManualClock(datetime.fromtimestamp(plan.end / 1000, UTC)), settings.paths.landing
    simulate(plan, landing, processes=1)
    shutil.rmtree(landing / "truth")
    before_ingest(landing)
    ingest_landing(settings, clock)
    start_build(settings, None)
    run_dbt(settings, ["run"])  # without the data tests: nothing here is what they look for
    publish_features(settings, clock=clock)
    return Snapshot.open(settings.paths)


def _slates_from(snapshot: Snapshot, recommender: Recommender, first: int) -> TrainingSet:
    known_at_once = tuple(replace(target, window_hours=0) for target in recommender.targets)
    whole = read_training_set(snapshot, replace(recommender, targets=known_at_once))
    return whole.take(whole.shown_at >= first)


def expected_gains(plan: Plan, recommender: Recommender, part: TrainingSet) -> Floats:
    """Mean gain `(n,)` of the rows of `part` over redrawn reactions; see the module."""
    world, rng = build_world(plan.seed, plan.days), np.random.default_rng([plan.seed, 2026])
    slates, items = as_simulated(world, plan, part)
    gained = np.zeros(items.shape)
    for _ in range(REDRAWS):
        order = np.argsort(rng.random(items.shape), axis=1)
        shown = choose(world, slates, np.take_along_axis(items, order, 1), rng)
        counts = {name: each.ravel() for name, each in _react(slates, shown, rng).items()}
        gains = blended_gains(recommender.targets, counts).reshape(items.shape)
        np.put_along_axis(gained, order, np.take_along_axis(gained, order, 1) + gains, 1)
    return gained.ravel() / REDRAWS


def as_simulated(world: World, plan: Plan, part: TrainingSet) -> tuple[Slates, NDArray[np.int64]]:
    """The slates of `part` as the simulation knows them, and the items `(g, k)` of their rows."""
    counts, days = plan.slates_by_day(), []
    names: list[str] = []
    for day, count in enumerate(counts):
        rng = np.random.default_rng((plan.seed, 5, day))
        days.append(make_slates(world, day, plan.begin + day * DAY, count, rng))
        names += slate_ids(plan.run, day, range(count))
    row_of = {name: row for row, name in enumerate(names)}
    rows = np.array([row_of[each.partition(SEPARATOR)[2]] for each in part.slate_ids])
    columns = (np.concatenate([getattr(day, each.name) for day in days])[rows] for each in fields(Slates))
    number_of = {name: number for number, name in enumerate(world.item_ids())}
    numbers = np.array([number_of[each.partition(SEPARATOR)[2]] for each in part.item_ids])
    return Slates(*columns), numbers[part.item_codes].reshape(len(part), -1)


def _react(slates: Slates, shown: Shown, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    """Counts `(g, k)` of what recipients do with what was sent, as `training_examples` names them."""
    recipients = rng.poisson(np.exp(rng.uniform(*_MEAN_LOG_SENDS, len(slates))))[:, None]
    delivered = np.where(shown.sent, recipients, 0)
    factors = click_factors(slates.send_at, shown.conditions.season_strength)[:, None]
    clicked = rng.binomial(delivered, np.minimum(shown.rates * factors, 1.0))
    return {
        "chosen": shown.chosen.astype(np.int64),
        "delivered": delivered,
        "clicked": clicked,
        "converted": rng.binomial(clicked, np.minimum(shown.conversion_rates, 1.0)),
        "unsubscribed": rng.binomial(delivered, np.minimum(shown.unsubscribe_rates, 1.0)),
    }
