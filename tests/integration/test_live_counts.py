"""Live counts are those of the next batch build, to the last bit, in every window: a day, hour by hour."""

from __future__ import annotations

import gzip
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from letterpress.clock import ManualClock
from letterpress.events.types import CampaignContext
from letterpress.features import columns_for_request
from letterpress.lake.complete_hours import finish_build
from letterpress.lake.live_log import link_live
from letterpress.lake.received_mark import ReceivedMark
from letterpress.lake.service_log import log_file_name, service_log_folder
from letterpress.lake.snapshot_layout import COUNT_NAMES, WINDOWS, window_start
from letterpress.lake.snapshots import ENTITIES, Snapshot, publish_snapshot
from letterpress.orchestration.build_features import build_features
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.orchestration.publish_features import snapshot_spec
from letterpress.recommenders import get_recommender
from letterpress.serving.live_counts import LiveCounts
from letterpress.serving.overlay import Overlay
from letterpress.settings import Home, Settings
from letterpress.simulation.simulate import Plan, simulate

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
DAYS, SLATES, WORKERS = 2, 300, 2
REPLAYED = [BEGIN + timedelta(days=1, hours=hour) for hour in range(24)]
RECOMMENDER = "image_enhancement"
PICTURES = get_recommender(RECOMMENDER)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OLD_SLATES = 40
END = BEGIN + timedelta(days=DAYS)


def read_lines(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.jsonl.gz")):
        yield from map(json.loads, gzip.decompress(path.read_bytes()).splitlines())


def received(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["received_at"])


def disturb(events: list[dict[str, Any]], rng: random.Random) -> list[dict[str, Any]]:
    """Some come late, also slates after what was done with them; some come again, up to a day later."""
    arrived = []
    for event in events:
        copies = [event]
        if rng.random() < 0.05:
            late = received(event) + timedelta(minutes=rng.randrange(1, 600))
            copies = [{**event, "received_at": late.isoformat()}]
        if rng.random() < 0.05:
            again = received(copies[0]) + timedelta(minutes=rng.randrange(1, 1400))
            copies.append({**event, "received_at": again.isoformat()})
        arrived += copies
    return sorted((event for event in arrived if received(event) < END), key=received)


def choose_twice(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every choice is told a second time, by another event, an hour and a half later."""
    again = [
        {
            **event,
            "event_id": f"{event['event_id']}-again",
            "received_at": (received(event) + timedelta(minutes=90)).isoformat(),
        }
        for event in events
        if event["type"] == "interaction"
    ]
    return events + again


def long_ago(events: list[dict[str, Any]], days: int) -> list[dict[str, Any]]:
    """Slates of the first day and all that became of them, so many days before: some windows hold them."""
    shown = [each["slate_id"] for each in events if each["type"] == "slate" and received(each) < BEGIN + DAY]
    kept = set(shown[:: len(shown) // OLD_SLATES])
    text = json.dumps([each for each in events if each.get("slate_id", "") in kept])
    for slate_id in kept:
        text = text.replace(f'"{slate_id}"', f'"{slate_id}-{days}"')
    return [
        {
            **event,
            "event_id": f"{event['event_id']}-{days}",
            **{
                name: (datetime.fromisoformat(event[name]) - timedelta(days=days)).isoformat()
                for name in ("occurred_at", "received_at")
            },
        }
        for event in json.loads(text)
    ]


def log_as_workers_do(home: Home, events: list[dict[str, Any]], rng: random.Random) -> None:
    """A file for each worker and hour, in landing and linked."""
    files: dict[tuple[datetime, int], list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        hour = received(event).replace(minute=0, second=0, microsecond=0)
        files[hour, rng.randrange(WORKERS)].append(event)
    service_log_folder(home).mkdir(parents=True)
    for (hour, worker), lines in files.items():
        path = service_log_folder(home) / log_file_name(9 + worker, hour, 0)
        path.touch()
        link_live(home.live, path)
        with path.open("w") as stream:
            stream.writelines(json.dumps(line) + "\n" for line in lines)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home whose warehouse holds two disturbed days, and whose live log still has all of them."""
    settings = Settings(home=tmp_path_factory.mktemp("live"))
    world = settings.paths.root / "world"
    simulate(Plan(DAYS, SLATES, settings.seed, "steady", BEGIN), world)
    rng = random.Random(settings.seed)
    events = disturb(choose_twice(list(read_lines(world))), rng)
    log_as_workers_do(settings.paths, events, rng)
    with (settings.paths.landing / "old.jsonl").open("w") as stream:
        stream.writelines(json.dumps(old) + "\n" for days in (40, 12, 3) for old in long_ago(events, days))
    ingest_landing(settings, ManualClock(END))
    build_features(settings)
    finish_build(settings.paths, None)
    return settings


def publish(settings: Settings, at: datetime) -> Snapshot:
    publish_snapshot(settings.paths, snapshot_spec(), ManualClock(at), threads=1, kept=2)
    snapshot = Snapshot.open(settings.paths)
    assert snapshot.as_of == at
    return snapshot


class Worker:
    """An overlay that follows what a test says is the current snapshot."""

    def __init__(self, settings: Settings, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.clock = ManualClock(BEGIN)
        self.overlay = Overlay(settings.paths, self.clock, lambda: self.snapshot)

    def catch_up(self) -> LiveCounts:
        while self.overlay.turn():
            pass
        assert self.overlay.counts is not None
        return self.overlay.counts


def all_counts(
    snapshot: Snapshot, entity: str, keys: list[str], overlay: Overlay | None
) -> NDArray[np.float64]:
    """What features of a request are made of, in every window: (n_keys, 24)."""
    live = None if overlay is None else overlay.read(snapshot, RECOMMENDER, {entity: keys})
    assert (live is None) == (overlay is None)
    columns = columns_for_request(
        replace(PICTURES, evidence_entities=(entity,)),
        CampaignContext(campaign_id="any"),
        np.zeros((len(keys), len(PICTURES.attributes))),
        [{}] * len(keys),
        {entity: snapshot.counts(RECOMMENDER, entity, keys)},
        END,
        None if live is None else live.counts,
    )
    return columns.counts.T


def is_same_day(snapshot: Snapshot, batch: Snapshot) -> bool:
    """Whether their windows begin at the same midnights; the first batch of a day lets a day go."""
    return window_start(as_of(snapshot), 1) == window_start(as_of(batch), 1)


def as_of(snapshot: Snapshot) -> datetime:
    assert snapshot.as_of is not None
    return snapshot.as_of


def old_and_new(snapshot: Snapshot) -> list[int]:
    """What each window holds of all that was shown."""
    keys = snapshot.keys_of(RECOMMENDER, "item")
    counts = snapshot.counts(RECOMMENDER, "item", [keys.keys[row] for row in range(len(keys))])
    shown: list[int] = counts[:, COUNT_NAMES.index("shown") :: len(COUNT_NAMES)].sum(axis=0).tolist()
    return shown


def assert_equal_to_batch(worker: Worker, counts: LiveCounts, batch: Snapshot) -> int:
    """How many keys of all entities were compared: those of batch, and those that only the overlay has."""
    n_keys = 0
    n_windows = len(WINDOWS) if is_same_day(worker.snapshot, batch) else 1
    for entity in ENTITIES:
        table = batch.keys_of(RECOMMENDER, entity)
        live = counts.all_keys().get((RECOMMENDER, entity), {})
        keys = sorted({*(table.keys[row] for row in range(len(table))), *live})
        width = n_windows * len(COUNT_NAMES)
        expected = all_counts(batch, entity, keys, None)[:, :width]
        found = all_counts(worker.snapshot, entity, keys, worker.overlay)[:, :width]
        different = [key for key, same in zip(keys, (expected == found).all(axis=1), strict=True) if not same]
        assert not different, (
            f"{entity} as of {batch.as_of}: {len(different)} of {len(keys)} keys, first {different[0]!r}: "
            f"expected {expected[keys.index(different[0])]}, found {found[keys.index(different[0])]}"
        )
        n_keys += len(keys)
    return n_keys


def test_snapshot_and_live_counts_are_the_next_snapshot_at_every_hour(settings: Settings) -> None:
    mark = ReceivedMark(settings.paths.live, REPLAYED[0])
    snapshot = publish(settings, REPLAYED[0])
    worker, compared, gained, n_same_day = Worker(settings, snapshot), 0, 0, 0
    for number, hour in enumerate(REPLAYED[:-1]):
        mark.set(hour + HOUR)
        if number % 5 == 2:  # a worker that dies and comes again
            worker = Worker(settings, snapshot)
        counts = worker.catch_up()
        assert worker.overlay.state().until == hour + HOUR - timedelta(microseconds=1)
        gained += sum(len(keys) for keys in counts.all_keys().values())
        snapshot = publish(settings, hour + HOUR)
        compared += assert_equal_to_batch(worker, counts, snapshot)
        n_same_day += is_same_day(worker.snapshot, snapshot)
        worker.snapshot = snapshot
    mark.close()
    assert n_same_day == len(REPLAYED) - 2, "windows are compared in all hours but the first of the day"
    birth, month, week, day = old_and_new(snapshot)
    assert birth > month > week > day > 0
    assert compared > 10_000
    assert gained > 1_000
