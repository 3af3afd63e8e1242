"""Live counts hold exactly what all workers had received up to the moment that they name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bench.synthetic_home import TENANT, write_snapshot

from letterpress.clock import ManualClock
from letterpress.lake.live_erasure import erase_from_live, retain_in_live
from letterpress.lake.live_log import live_log_folder, lost_until
from letterpress.lake.received_mark import ReceivedMark
from letterpress.lake.recent_slates import hash_name, nothing_recent
from letterpress.lake.retention import limits_of
from letterpress.lake.service_log import log_file_name, service_log_folder
from letterpress.lake.snapshots import COUNT_NAMES, ENTITIES, KEY_SEPARATOR, Snapshot
from letterpress.lake.subject import Subject
from letterpress.serving import overlay as overlay_module
from letterpress.serving.live_table import LiveTable
from letterpress.serving.overlay import Overlay
from letterpress.settings import Home, RetentionSettings

AS_OF = datetime(2026, 1, 5, 12, tzinfo=UTC)
RECOMMENDER = "image_enhancement"
MICROSECOND = timedelta(microseconds=1)
ITEM = f"{TENANT}{KEY_SEPARATOR}item-1"


def at(minutes: float) -> datetime:
    return AS_OF + timedelta(minutes=minutes)


def event(event_type: str, minutes: float, **fields: Any) -> dict[str, Any]:
    moment = at(minutes).isoformat()
    return {
        "type": event_type,
        "event_id": f"{event_type}-{minutes}",
        "tenant": TENANT,
        "recommender": RECOMMENDER,
        "occurred_at": moment,
        "received_at": moment,
        "slate_id": "s1",
    } | fields


def slate(minutes: float, **fields: Any) -> dict[str, Any]:
    campaign = {"campaign_id": "c1", "segment": "new"}
    return event("slate", minutes, campaign=campaign, items=[{"item_id": "item-1"}]) | fields


def clicked(minutes: float, count: int = 1, **fields: Any) -> dict[str, Any]:
    return event("outcome", minutes, item_id="item-1", kind="clicked", count=count) | fields


@dataclass
class Bench:
    """A home with a snapshot as of noon, and the overlay of one worker."""

    home: Home
    overlay: Overlay
    snapshot: Snapshot
    clock: ManualClock
    marks: list[ReceivedMark] = field(default_factory=list)

    def log(self, *events: dict[str, Any], worker: int = 1, end: str = "\n") -> Path:
        """Lines in the file of a worker, as it is linked."""
        path = live_log_folder(self.home.live) / log_file_name(worker, AS_OF, 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as stream:
            stream.write("\n".join(map(json.dumps, events)) + end)
        return path

    def mark(self, minutes: float) -> ReceivedMark:
        """Another worker has on disk what it received before then."""
        self.marks.append(ReceivedMark(self.home.live, at(minutes)))
        return self.marks[-1]

    def counts(self) -> dict[str, int]:
        """Of the item, once everything that can be read was."""
        while self.overlay.turn():
            pass
        found = self.overlay.read(self.snapshot, RECOMMENDER, {"item": [ITEM]})
        assert found is not None
        return {name: n for name, n in zip(COUNT_NAMES, found.counts["item"][0].tolist(), strict=True) if n}

    def until(self) -> datetime | None:
        return self.overlay.state().until


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    home = Home(root=tmp_path)
    home.snapshots.mkdir()
    write_snapshot(home, items=5)
    snapshot, clock = Snapshot.open(home), ManualClock(at(30))
    made: list[Bench] = []
    made.append(Bench(home, Overlay(home, clock, lambda: made[0].snapshot), snapshot, clock))
    yield made[0]
    made[0].overlay.stop()
    for mark in made[0].marks:
        mark.close()


def test_what_was_received_before_every_mark_is_counted_and_nothing_later(bench: Bench) -> None:
    bench.log(slate(1), clicked(2, 3))
    bench.log(clicked(10, 5), worker=2)
    slow = bench.mark(5)
    bench.mark(20)
    assert bench.counts() == {"shown": 1, "clicked": 3}
    assert bench.until() == at(5) - MICROSECOND
    slow.set(at(10) + MICROSECOND)
    assert bench.counts() == {"shown": 1, "clicked": 8}
    assert bench.until() == at(10)


def test_a_reaction_waits_for_its_slate_and_is_counted_when_it_comes(bench: Bench) -> None:
    bench.log(clicked(1, 4), slate(3, occurred_at=at(0).isoformat()))
    mark = bench.mark(2)
    assert bench.counts() == {}
    assert bench.overlay.state().waiting == 1
    mark.set(at(4))
    assert bench.counts() == {"shown": 1, "clicked": 4}
    assert bench.overlay.state().waiting == 0


def test_copies_count_once_and_a_choice_counts_once(bench: Bench) -> None:
    chosen = event("interaction", 2, item_id="item-1", action="chosen")
    bench.log(slate(1), chosen, clicked(3))
    bench.log({**chosen, "event_id": "told again"}, clicked(3), slate(1), worker=2)
    bench.mark(9)
    assert bench.counts() == {"shown": 1, "chosen": 1, "clicked": 1}


def test_what_does_not_belong_to_a_slate_counts_nothing(bench: Bench) -> None:
    dismissed = event("interaction", 2, item_id="item-1", action="dismissed")
    before_it_was_shown = clicked(3, occurred_at=at(-90).isoformat())
    bench.log(slate(1), dismissed, before_it_was_shown, clicked(4, item_id="item-2"))
    bench.mark(9)
    assert bench.counts() == {"shown": 1}
    assert bench.overlay.state().waiting == 0


def test_a_line_is_read_when_it_is_whole_and_one_that_is_no_event_is_passed_over(bench: Bench) -> None:
    (service_log_folder(bench.home)).mkdir(parents=True)
    path = bench.log(slate(1), end="\nno event\n" + json.dumps(clicked(2, 7))[:30])
    (service_log_folder(bench.home) / f"{path.name}.open").touch()
    mark = bench.mark(9)
    assert bench.counts() == {"shown": 1}
    with path.open("a") as stream:
        stream.write(json.dumps(clicked(2, 7))[30:] + "\n")
    mark.set(at(10))
    assert bench.counts() == {"shown": 1, "clicked": 7}


def test_counts_lie_on_the_snapshot_that_they_belong_to_only(bench: Bench) -> None:
    bench.log(slate(1))
    bench.mark(9)
    assert bench.counts() == {"shown": 1}
    write_snapshot(bench.home, items=6, seed=1)
    newer = Snapshot.open(bench.home)
    assert bench.overlay.read(newer, RECOMMENDER, {"item": [ITEM]}) is None
    bench.snapshot = newer
    assert bench.counts() == {"shown": 1}


def test_without_a_living_worker_nothing_is_claimed(bench: Bench) -> None:
    bench.log(slate(1))
    bench.overlay.turn()
    assert bench.until() is None
    assert bench.overlay.read(bench.snapshot, RECOMMENDER, {"item": [ITEM]}) is None


def test_a_worker_that_still_reads_what_the_snapshot_holds_adds_nothing_to_it(bench: Bench) -> None:
    bench.log(slate(-2), clicked(-1, received_at=at(-1).isoformat()))
    mark = bench.mark(0)
    bench.overlay.turn()
    assert bench.until() == AS_OF - MICROSECOND
    assert bench.overlay.read(bench.snapshot, RECOMMENDER, {"item": [ITEM]}) is None
    mark.set(AS_OF + MICROSECOND)
    assert bench.counts() == {}


def test_when_memory_is_used_up_counts_stand_still_and_say_so(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.log(slate(1))
    mark = bench.mark(2)
    assert bench.counts() == {"shown": 1}
    monkeypatch.setattr(overlay_module, "MOST_REMEMBERED", 1)
    bench.log(clicked(3))
    mark.set(at(9))
    assert bench.counts() == {"shown": 1}
    assert bench.until() == at(2) - MICROSECOND
    assert bench.overlay.state().lag_seconds == pytest.approx(28 * 60)


def test_a_log_that_no_snapshot_took_in_for_a_week_is_given_up_and_said_to_be_missing(bench: Bench) -> None:
    path = bench.log(slate(1))
    bench.mark(2)
    assert bench.counts() == {"shown": 1}
    bench.clock.advance(timedelta(days=8))
    write_snapshot(bench.home, items=6, seed=1)
    bench.snapshot = Snapshot.open(bench.home)
    bench.overlay.turn()
    assert not path.exists()
    assert lost_until(bench.home) == at(1)
    again = Overlay(bench.home, bench.clock, lambda: bench.snapshot)
    again.turn()
    assert again.read(bench.snapshot, RECOMMENDER, {"item": [ITEM]}) is None
    assert "logs were lost" in str(again.state().reason)
    again.stop()


def test_a_forgotten_tenant_is_forgotten_in_memory_too(bench: Bench) -> None:
    bench.log(slate(1), clicked(2), *({**each, "tenant": "other"} for each in (slate(1), clicked(3))))
    bench.mark(9)
    assert bench.counts() == {"shown": 1, "clicked": 1}
    assert erase_from_live(bench.home, Subject(tenant=TENANT)) == 2
    assert bench.counts() == {}
    counts = bench.overlay.counts
    assert counts is not None
    assert TENANT not in repr(counts.all_keys())
    assert "other" in repr(counts.all_keys())
    assert erase_from_live(bench.home, Subject(tenant=TENANT)) == 0
    bench.overlay.turn()
    assert bench.overlay.counts is counts, "nothing was erased: nothing is counted anew"


def test_what_may_not_be_kept_so_long_leaves_the_live_log_and_what_was_counted_of_it(bench: Bench) -> None:
    path = bench.log(slate(1, session_id="visit"), clicked(2), slate(-90, slate_id="s2", session_id="visit"))
    bench.mark(9)
    assert bench.counts() == {"shown": 1, "clicked": 1}
    limits = limits_of(RetentionSettings(outcome_days=2, slate_days=3, identifier_days=2), at(48 * 60))
    assert retain_in_live(bench.home, limits) == 1
    assert "visit" in path.read_text(), "the hour in which the slate was shown is not over for two days"
    limits = limits_of(RetentionSettings(outcome_days=1, slate_days=3, identifier_days=2), at(49 * 60))
    assert retain_in_live(bench.home, limits) == 2
    left = [json.loads(line) for line in path.read_text().splitlines()]
    assert [each["type"] for each in left] == ["slate", "slate"]
    assert "visit" not in path.read_text()
    assert bench.counts() == {"shown": 1}
    assert retain_in_live(bench.home, {}) == 0


def test_a_session_goes_on_across_the_hour_at_which_the_snapshot_ends(bench: Bench) -> None:
    whose = (RECOMMENDER, TENANT, "visit")
    bench.log(slate(-20, slate_id="s0", session_id="visit"), slate(-2, session_id="visit"))
    bench.log(event("interaction", 1, item_id="item-1", action="chosen"), clicked(2))
    bench.mark(5)
    bench.counts()
    found = bench.overlay.read(bench.snapshot, RECOMMENDER, {"item": [ITEM]}, whose)
    assert found is not None
    assert found.session == (2, 1, 1, 25 * 60_000_000)
    again = bench.overlay.read(bench.snapshot, RECOMMENDER, {"item": [ITEM]})
    assert again is not None
    assert again.session is None


def remember(bench: Bench, slate_id: str, *, arrived: float) -> None:
    """Publish the snapshot anew, as one that holds a slate whose first copy arrived then."""
    home = Home(root=bench.home.root / f"knows-{slate_id}")
    home.snapshots.mkdir(parents=True)
    hour = int(at(arrived).timestamp()) // 3600
    hashes = np.array([hash_name(TENANT, slate_id, "item-1")], np.uint64)
    keys = np.full((1, len(ENTITIES)), 10**6, np.int32)
    hours = np.array([hour], np.int32)
    known = replace(
        nothing_recent(5), hashes=hashes, keys=keys, hours=hours, arrived=hours, chosen=np.zeros(1, np.bool_)
    )
    write_snapshot(home, items=5, recent=known)
    bench.snapshot = Snapshot.open(home)


@pytest.mark.parametrize(("first", "requests"), [(-125, 1), (-50, 1), (-15, 2)])
def test_of_a_slate_that_was_sent_twice_around_a_restart_the_first_copy_counts(
    bench: Bench, first: float, requests: int
) -> None:
    """A worker begins; its log goes back an hour. The second copy came ten minutes before the snapshot."""
    remember(bench, "s0", arrived=first)
    copies = [slate(minutes, slate_id="s0", session_id="visit") for minutes in (first, -10) if minutes > -60]
    bench.log(*copies, slate(1, session_id="visit"))
    bench.mark(5)
    bench.counts()

    whose = (RECOMMENDER, TENANT, "visit")
    found = bench.overlay.read(bench.snapshot, RECOMMENDER, {"item": [ITEM]}, whose)

    assert found is not None
    assert found.session is not None
    assert found.session[0] == requests, "the other slate, and this one where it came in the last half hour"


def test_a_table_grows_without_forgetting() -> None:
    table = LiveTable()
    for number in range(300):
        table.add({f"key-{number}": [number, 0, 0, 0, 0, 1]})
    table.add({"key-7": [1, 0, 0, 0, 0, 0]})
    assert table.find(["key-7", "never seen", "key-299"])[:, 0].tolist() == [8, 0, 299]
    assert len(table) == 300
