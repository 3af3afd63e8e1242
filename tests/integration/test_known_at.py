"""A training row holds what had arrived by its slate, however wrong the clocks of senders are."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
from tests.integration.small_world import HOUR, World, arrival

from letterpress.events.types import AnyEvent, Interaction, Item, Outcome, Slate
from letterpress.lake.warehouse import connect_warehouse
from letterpress.orchestration.build_features import run_dbt
from letterpress.settings import Settings

WriteRaw = Callable[[Path, Iterable[AnyEvent]], None]
WORLDS = 3
TENANTS = ("a", "b", "c", "d")
LABELS = "chosen, delivered, clicked, converted, unsubscribed, email_score"


def make_world(start: datetime, seed: int) -> World:
    """Half a day of four tenants, the clocks of which are up to six hours ahead or behind."""
    world = World(start + 24 * HOUR, seed)
    world.recommender = f"world_{seed}"
    world.hours_ahead = {tenant: world.rng.choice((0.0, world.rng.uniform(-6, 6))) for tenant in TENANTS}
    for tenant in TENANTS:
        for hours in (0.0, world.rng.uniform(0, 10)):
            world.describe_items(tenant, hours)
        for _ in range(5):
            world.show_slate(tenant, world.rng.uniform(0, 10))
    return world


def tell_again(world: World, cut: datetime) -> list[AnyEvent]:
    """What arrives after `cut` and names any time at all: copies of slates, reactions, other descriptions."""
    rng = world.rng
    told: list[AnyEvent] = []
    for number, event in enumerate(world.events):
        times = {
            "event_id": f"again-{number}",
            "occurred_at": world.start + rng.choice((-9, 2, 7, 30)) * HOUR,
            "received_at": cut + rng.randrange(0, 5) * HOUR,
        }
        if isinstance(event, Item):
            told.append(msgspec.structs.replace(event, **times, labels={"enhancement": "other"}))
        elif isinstance(event, Slate | Interaction | Outcome):
            told.append(msgspec.structs.replace(event, **times))
    return rng.sample(told, 25)


def build_known(settings: Settings, events: list[AnyEvent], write_raw: WriteRaw) -> pa.Table:
    """Training rows without their labels, when all of history is built of these events."""
    write_raw(settings.paths.raw, events)
    run_dbt(settings, ["run", "--select", "+training_examples"])
    query = f"select * exclude ({LABELS}) from training_examples order by all"  # noqa: S608
    with connect_warehouse(settings.paths, read_only=True, threads=2) as connection:
        return connection.sql(query).to_arrow_table()


def test_nothing_that_arrives_after_a_moment_changes_a_row_that_was_there(
    start: datetime, write_raw: WriteRaw, tmp_path: Path
) -> None:
    """Each world is a recommender of its own with a cut of its own, so that two builds do for all."""
    settings = Settings(home=tmp_path)
    had_arrived: list[AnyEvent] = []
    all_events: list[AnyEvent] = []
    for seed in range(WORLDS):
        world = make_world(start, seed)
        cut = world.start + timedelta(hours=random.Random(seed).uniform(3, 9))
        had_arrived += [event for event in world.events if arrival(event) < cut]
        all_events += [*world.events, *tell_again(world, cut)]
    before, after = (build_known(settings, events, write_raw) for events in (had_arrived, all_events))
    names = ["recommender", "tenant", "slate_id"]
    rows = {tuple(row[name] for name in names) for row in before.select(names).to_pylist()}
    was_there = [tuple(row.values()) in rows for row in after.select(names).to_pylist()]
    assert len(set(before["recommender"].to_pylist())) == WORLDS
    assert 45 < before.num_rows < after.num_rows - 30
    assert before == after.filter(pa.array(was_there))
