"""Counts of what arrived since the snapshot's last complete hour, as batch will count it (ADR 0026).

An event is known once it and its slate have arrived. What becomes known is kept by the hour in which it does,
so that a newer snapshot, which holds the first of these hours, takes them away. The sums over all hours that
are left are what a request reads. One thread writes; requests read under the same lock.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from letterpress.lake.recent_slates import hash_name
from letterpress.lake.snapshot_layout import COUNT_NAMES
from letterpress.lake.snapshots import Snapshot
from letterpress.serving.live_events import (
    LiveEvent,
    LiveInteraction,
    LiveItem,
    LiveOutcome,
    LiveSlate,
    microseconds,
    moment_of,
)
from letterpress.serving.live_sessions import LiveSessions, SessionCounts, SessionName
from letterpress.serving.live_slates import HOUR, KnownPlace, LiveSlates, Reaction, reaction_of
from letterpress.serving.live_table import Gains, Group, LiveTables, Place

Gain = tuple[int, list[Group], int, int]
"""Hour, group of each item, column and amount of something that became known."""
_KINDS = {LiveSlate: "slate", LiveInteraction: "interaction", LiveOutcome: "outcome"}
_SHOWN, _CHOSEN = COUNT_NAMES.index("shown"), COUNT_NAMES.index("chosen")
AT_ONCE = 20
"""Events that become visible together: a request waits for no more than some hundred microseconds."""


@dataclass(frozen=True, slots=True)
class LiveRead:
    """Counts to add to those of the snapshot, and the moment up to which they hold what was received."""

    until: datetime
    counts: dict[str, NDArray[np.int64]]
    """By entity, (n_keys, 6)."""
    session: SessionCounts | None = None
    """Of the session that was asked for."""


class LiveCounts:
    """The live counts of one worker, relative to one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._tables = LiveTables()
        self.slates = LiveSlates(snapshot, self._tables)
        self.sessions = LiveSessions()
        self.first_hour = first_hour_of(snapshot)
        self.until: datetime | None = None
        self.events = 0
        self._snapshot_id = snapshot.snapshot_id
        self._lock = threading.Lock()
        self._hours: defaultdict[int, list[Gains]] = defaultdict(list)
        self._seen: defaultdict[int, set[int]] = defaultdict(set)
        self._chosen: defaultdict[int, set[int]] = defaultdict(set)

    @property
    def hours(self) -> int:
        """How many hours are held."""
        return len(self._hours)

    @property
    def remembered(self) -> int:
        """Events and slates in memory."""
        return (
            sum(map(len, self._seen.values())) + len(self.slates) + self.slates.waiting + len(self.sessions)
        )

    def read(
        self,
        snapshot: Snapshot,
        recommender: str,
        keys: Mapping[str, Sequence[str]],
        session: SessionName | None = None,
    ) -> LiveRead | None:
        """What to add for `keys` (by entity) to counts of `snapshot`; None while it belongs to another."""
        with self._lock:
            if self.until is None or self._snapshot_id != snapshot.snapshot_id:
                return None
            until = microseconds(self.until)
            if until // HOUR < self.first_hour:
                return None  # a worker that has just begun still reads what the snapshot holds
            counts = self._tables.find(recommender, keys)
            pace = None if session is None else self.sessions.read(session, until + 1)
            return LiveRead(self.until, counts, pace)

    def all_keys(self) -> dict[Place, dict[str, list[int]]]:
        """Every key with its counts, by recommender and entity."""
        with self._lock:
            return self._tables.items()

    def apply(self, events: Sequence[LiveEvent], until: datetime, *, pause_seconds: float = 0.0) -> None:
        """Count `events`, sorted by arrival; afterwards everything received up to `until` is counted.

        Between batches others get the interpreter for `pause_seconds`.
        """
        start = 0
        while start < len(events):
            end = min(start + AT_ONCE, len(events))
            while end < len(events) and events[end].received_at == events[end - 1].received_at:
                end += 1
            gains = [gain for event in events[start:end] for gain in self._gains(event)]
            is_last = end == len(events)
            self._add(gains, until if is_last else moment_of(microseconds(events[end].received_at) - 1))
            start = end
            if pause_seconds and not is_last:
                time.sleep(pause_seconds)
        if not events:
            self._add([], until)
        self.events += len(events)
        self.sessions.forget(microseconds(until))

    def rebase(self, snapshot: Snapshot) -> None:
        """Go on from a newer snapshot: what it holds is taken away.

        Raises:
            ValueError: it is older, so that something would be missing.
        """
        first = first_hour_of(snapshot)
        if first < self.first_hour:
            raise ValueError(f"expected a snapshot of hour {self.first_hour} or later, found one of {first}")
        for held in (self._hours, self._seen, self._chosen):
            for hour in [hour for hour in held if hour < first]:
                del held[hour]
        held_gains = [(hour, gains) for hour, each in self._hours.items() for gains in each]
        tables, moved = self._tables.moved([gains for _, gains in held_gains])
        self._hours.clear()
        for (hour, _), gains in zip(held_gains, moved, strict=True):
            self._hours[hour].append(gains)
        with self._lock:
            self.first_hour, self._snapshot_id, self._tables = first, snapshot.snapshot_id, tables
        waited = self.slates.rebase(snapshot, first, tables)
        self._add([gain for each in waited for gain in self._react(each)], self.until)

    def _add(self, gains: list[Gain], until: datetime | None) -> None:
        """Put gains that are not in the snapshot into the hours they are known from, and into the tables."""
        by_hour: defaultdict[int, list[Gain]] = defaultdict(list)
        for gain in gains:
            if gain[0] >= self.first_hour:
                by_hour[gain[0]].append(gain)
        visible = {hour: _as_arrays(some) for hour, some in by_hour.items()}
        for hour, arrays in visible.items():
            self._hours[hour].append(arrays)
        with self._lock:
            for arrays in visible.values():
                self._tables.add(arrays)
            if until is not None and (self.until is None or until > self.until):
                self.until = until

    def _gains(self, event: LiveEvent) -> list[Gain]:
        """Everything that an event makes known."""
        if isinstance(event, LiveItem):
            self.slates.describe(event)
            return []
        if isinstance(event, LiveInteraction):
            self.sessions.react(event)
        if not self._is_new(event):
            return []
        if isinstance(event, LiveSlate):
            return self._show(event)
        reaction = reaction_of(event)
        return [] if reaction is None else self._react(reaction)

    def _is_new(self, event: LiveSlate | LiveInteraction | LiveOutcome) -> bool:
        """Whether no event of this id was received before, here or in the days before the snapshot."""
        name = hash_name(event.tenant, _KINDS[type(event)], event.event_id)
        mixed = name ^ _hash_recommender(event.recommender)
        if any(mixed in seen for seen in self._seen.values()):
            return False
        if not isinstance(event, LiveSlate) and self._is_counted(event.recommender, name):
            return False
        self._seen[microseconds(event.received_at) // HOUR].add(mixed)
        return True

    def _is_counted(self, recommender: str, reaction: int) -> bool:
        snapshot = self.slates.snapshot
        is_kept = recommender in snapshot.manifest.recommenders
        return is_kept and snapshot.recent(recommender).has_counted(reaction)

    def _show(self, slate: LiveSlate) -> list[Gain]:
        name = hash_name(slate.recommender, slate.tenant, slate.slate_id)
        hour = microseconds(slate.received_at) // HOUR
        items = self.slates.add(slate, name)
        # The snapshot holds no sessions, but it knows of what the first copy may not be in the log any more.
        if items or self.slates.arrived_before(slate) == hour:
            self.sessions.show(slate, name)
        gains: list[Gain] = [(hour, items, _SHOWN, 1)] if items else []
        for reaction in self.slates.take_waiting(name):
            gains += self._react(reaction)
        return gains

    def _react(self, reaction: Reaction) -> list[Gain]:
        place = self.slates.find(reaction)
        if place is None:
            self.slates.wait(reaction)
            return []
        if reaction.hour < place.shown_hour:
            return []
        known = max(reaction.received_at, place.received_at) // HOUR
        if reaction.column == _CHOSEN and not self._is_first_choice(reaction, place, known):
            return []
        return [(known, [place.group], reaction.column, reaction.amount)]

    def _is_first_choice(self, choice: Reaction, place: KnownPlace, known: int) -> bool:
        """An item of a slate is chosen once, however often somebody says so."""
        if place.is_chosen or any(choice.place in chosen for chosen in self._chosen.values()):
            return False
        self._chosen[known].add(choice.place)
        return True


def first_hour_of(snapshot: Snapshot) -> int:
    """The hour since 1970 that the snapshot does not hold any more."""
    return 0 if snapshot.as_of is None else microseconds(snapshot.as_of) // HOUR


def _as_arrays(gains: list[Gain]) -> Gains:
    """One increment for each item."""
    items = [len(groups) for _, groups, _, _ in gains]
    return Gains(
        np.fromiter(chain.from_iterable([groups for _, groups, _, _ in gains]), np.int32, sum(items)),
        np.repeat(np.array([column for _, _, column, _ in gains], np.int8), items),
        np.repeat(np.array([amount for _, _, _, amount in gains], np.int64), items),
    )


@lru_cache(maxsize=64)
def _hash_recommender(name: str) -> int:
    return hash_name(name)
