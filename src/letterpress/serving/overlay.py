"""Keeps the live counts of a worker up to date: a thread that reads the logs of all workers (ADR 0026)."""

from __future__ import annotations

import gc
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from letterpress.clock import Clock
from letterpress.lake.live_log import erased_mark, lost_until
from letterpress.lake.received_mark import read_marks
from letterpress.lake.recent_slates import REACTED_DAYS
from letterpress.lake.snapshots import Snapshot
from letterpress.log import logger
from letterpress.serving.live_counts import LiveCounts, LiveRead, first_hour_of
from letterpress.serving.live_events import LiveEvent
from letterpress.serving.live_sessions import SessionName
from letterpress.serving.live_tail import LiveTail
from letterpress.serving.messages import LiveState
from letterpress.settings import Home

POLL_SECONDS = 0.05
BUSY_SECONDS = 0.002
"""Between two turns when more is to be read: others get the interpreter."""
PAUSE_SECONDS = 0.001
"""Between batches of one turn: requests that wait get the interpreter for as long as they need it."""
EVENTS_UNTIL_FREEZE = 1_000
"""What is remembered stays; a collection that walks a hundred thousand slates stops requests for 100 ms."""
STOP_SECONDS = 10.0
MOST_REMEMBERED = 2_000_000
"""Events and slates in memory, up to a kilobyte each. Beyond, counts stand still until a snapshot comes."""
FORGET_SECONDS = 60.0
KEPT_BEHIND = timedelta(hours=1)
"""How far behind the snapshot files are kept: another worker may still answer from the one before."""
_MICROSECOND = timedelta(microseconds=1)
_received_at = attrgetter("received_at")


class Overlay:
    """The live counts relative to the snapshot that `current` names."""

    def __init__(self, home: Home, clock: Clock, current: Callable[[], Snapshot | None]) -> None:
        self._home, self._clock, self._current = home, clock, current
        self._tail = LiveTail(home)
        self.counts: LiveCounts | None = None
        """Made with the first snapshot; only the thread of this overlay changes it."""
        self._pending: list[LiveEvent] = []
        self._erased = erased_mark(home)
        self._forgot_at = 0.0
        self._frozen_events = 0
        self._is_noted = False
        self._reason: str | None = "no snapshot was published yet"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="overlay", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        self._tail.close()

    @property
    def has_died(self) -> bool:
        """Whether an error that nobody foresaw ended the thread: the counts stand still."""
        was_started = self._thread.ident is not None
        return was_started and not self._thread.is_alive() and not self._stopping.is_set()

    def read(
        self,
        snapshot: Snapshot,
        recommender: str,
        keys: Mapping[str, Sequence[str]],
        session: SessionName | None = None,
    ) -> LiveRead | None:
        """What to add to the counts of `snapshot`; None when there is nothing that could be relied on."""
        counts = self.counts
        if counts is None or self._reason is not None:
            return None
        return counts.read(snapshot, recommender, keys, session)

    def state(self) -> LiveState:
        counts = self.counts
        until = None if counts is None else counts.until
        return LiveState(
            until=until,
            lag_seconds=None if until is None else (self._clock.now() - until).total_seconds(),
            events=0 if counts is None else counts.events,
            hours=0 if counts is None else counts.hours,
            remembered=0 if counts is None else counts.remembered,
            waiting=0 if counts is None else counts.slates.waiting,
            reason=self._reason,
        )

    def _run(self) -> None:
        while not self._stopping.is_set():
            is_behind = self.turn()
            self._freeze()
            self._stopping.wait(BUSY_SECONDS if is_behind else POLL_SECONDS)

    def _freeze(self) -> None:
        """Keep the collector from what is remembered; it holds no cycles, and goes when it is let go of."""
        counts = self.counts
        if counts is not None and not 0 <= counts.events - self._frozen_events < EVENTS_UNTIL_FREEZE:
            self._frozen_events = counts.events
            gc.freeze()

    def turn(self) -> bool:
        """Take in what is new, a bounded amount; whether more is waiting."""
        snapshot = self._current()
        if snapshot is None:
            return False
        self._follow(snapshot)
        counts = self.counts
        if counts is None or self._is_full(counts):
            return False
        marks = read_marks(self._home.live)
        events, unread = self._tail.read()
        if events:
            self._pending += events
            self._pending.sort(key=_received_at)  # stable, and fast: what each worker wrote is in order
        bounds = [*marks, *([] if unread is None else [unread])]
        if marks:
            self._apply(counts, min(bounds))
        return unread is not None

    def _apply(self, counts: LiveCounts, complete: datetime) -> None:
        """Count what was received before `complete`: everything that was is on disk and was read."""
        end = bisect_left(self._pending, complete, key=_received_at)
        due = self._pending[:end]
        del self._pending[:end]
        counts.apply(due, complete - _MICROSECOND, pause_seconds=PAUSE_SECONDS)

    def _follow(self, snapshot: Snapshot) -> None:
        """Begin with the first snapshot, go on with newer ones, begin anew with an older one.

        Begin anew too when lines were taken out of the log: a tenant is forgotten in memory as on disk.
        """
        counts, erased = self.counts, erased_mark(self._home)
        is_erased, self._erased = erased != self._erased, erased
        if counts is not None and counts.slates.snapshot is snapshot and not is_erased:
            if time.monotonic() - self._forgot_at > FORGET_SECONDS:
                self._forget(snapshot)
            return
        started = time.perf_counter()
        if counts is None or is_erased or first_hour_of(snapshot) < counts.first_hour:
            self._tail.close()
            self._tail, self._pending = LiveTail(self._home), []
            self.counts = LiveCounts(snapshot)
        else:
            counts.rebase(snapshot)
        as_of = snapshot.as_of or datetime.min.replace(tzinfo=UTC)
        self._reason = None
        lost = lost_until(self._home)
        if lost is not None and as_of <= lost:
            self._reason = (
                f"the snapshot is of {as_of.isoformat()}, and of the time since then logs were lost"
            )
        self._forget(snapshot)
        logger.info(
            "overlay follows snapshot=%s seconds=%.3f", snapshot.snapshot_id, time.perf_counter() - started
        )

    def _forget(self, snapshot: Snapshot) -> None:
        """Let go of files, also of those that no snapshot ever took in."""
        self._forgot_at = time.monotonic()
        too_old = self._clock.now() - timedelta(days=REACTED_DAYS)
        held_until = too_old if snapshot.as_of is None else snapshot.as_of - KEPT_BEHIND
        self._tail.forget(held_until, too_old)

    def _is_full(self, counts: LiveCounts) -> bool:
        """Whether memory is used up: the counts then stay as they are, and say up to when they are right."""
        is_full = counts.remembered + len(self._pending) > MOST_REMEMBERED
        if is_full and not self._is_noted:
            logger.warning("overlay is full remembered=%d until=%s", counts.remembered, counts.until)
        self._is_noted = is_full
        return is_full
