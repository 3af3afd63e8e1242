"""What builders did in their sessions of the last hour, by when it became known (ADR 0035).

Kept apart from the counts that a snapshot takes over: a session goes on across the hour at which one ends.
One thread writes, in the order of arrival. Requests read up to a moment before which nothing is added any
more, and see either the whole list of a session or one that is longer at its end.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

from letterpress.events.session import SESSION_SPAN
from letterpress.lake.recent_slates import hash_name
from letterpress.serving.live_events import LiveInteraction, LiveSlate, microseconds

SPAN = SESSION_SPAN // SESSION_SPAN.resolution
KEPT = 2 * SPAN
"""A reaction counts for a span, and so long before may its slate have arrived."""
MOST_EARLY = 10_000
"""Reactions that came before their slate; beyond, the oldest go."""
_HOUR = 3_600_000_000

SessionName = tuple[str, str, str]
"""Recommender, tenant, and the id of the session as it is logged."""
SessionCounts = tuple[int, int, int, int]
"""Requests, choices, edits, and microseconds since the first of them."""


@dataclass(slots=True)
class _Session:
    """When what became known, each in ascending order."""

    asked: list[int] = field(default_factory=list)
    chosen: list[int] = field(default_factory=list)
    edited: list[int] = field(default_factory=list)

    def forget(self, since: int) -> None:
        """Begin new lists: a request may be reading the old ones."""
        self.asked = self.asked[bisect_left(self.asked, since) :]
        self.chosen = self.chosen[bisect_left(self.chosen, since) :]
        self.edited = self.edited[bisect_left(self.edited, since) :]


class _Slate(NamedTuple):
    received_at: int
    shown_hour: int
    session: _Session
    told: set[tuple[str, str]]
    """Items with what was done to them."""


class _Told(NamedTuple):
    received_at: int
    hour: int
    move: tuple[str, str]


class LiveSessions:
    """The sessions of one worker's memory."""

    def __init__(self) -> None:
        self._sessions: dict[SessionName, _Session] = {}
        self._slates: dict[int, _Slate] = {}
        self._by_span: defaultdict[int, list[int]] = defaultdict(list)
        self._early: dict[int, list[_Told]] = {}

    def __len__(self) -> int:
        return len(self._slates)

    def show(self, slate: LiveSlate, name: int) -> None:
        """Count a slate whose first copy this is, and what was told of it before."""
        early = self._early.pop(name, ())
        if slate.session_id is None or name in self._slates:
            return
        whose = (slate.recommender, slate.tenant, slate.session_id)
        session = self._sessions.get(whose)
        if session is None:
            session = self._sessions[whose] = _Session()
        received = microseconds(slate.received_at)
        shown = microseconds(slate.occurred_at) // _HOUR
        made = self._slates[name] = _Slate(received, shown, session, set())
        self._by_span[received // SPAN].append(name)
        session.asked.append(received)
        for told in early:
            _move(made, told)

    def react(self, reaction: LiveInteraction) -> None:
        """Count what was done to an item of a slate, once."""
        name = hash_name(reaction.recommender, reaction.tenant, reaction.slate_id)
        told = _Told(
            microseconds(reaction.received_at),
            microseconds(reaction.occurred_at) // _HOUR,
            (reaction.item_id, reaction.action),
        )
        slate = self._slates.get(name)
        if slate is not None:
            _move(slate, told)
        else:
            self._early.setdefault(name, []).append(told)
            if len(self._early) > MOST_EARLY:
                del self._early[next(iter(self._early))]

    def read(self, name: SessionName, until: int) -> SessionCounts:
        """What the session did in the span before `until`, which is exclusive."""
        session = self._sessions.get(name)
        if session is None:
            return 0, 0, 0, 0
        since, first, counts = until - SPAN, until, []
        for moments in (session.asked, session.chosen, session.edited):
            start, end = bisect_left(moments, since), bisect_left(moments, until)
            if start < end:
                first = min(first, moments[start])
            counts.append(end - start)
        return counts[0], counts[1], counts[2], until - first

    def forget(self, until: int) -> None:
        """Let go of what no request after `until` counts any more."""
        oldest = (until - KEPT) // SPAN
        old = [span for span in self._by_span if span < oldest]
        if not old:
            return
        for span in old:
            for name in self._by_span.pop(span):
                del self._slates[name]
        for whose, session in list(self._sessions.items()):
            session.forget(until - SPAN)
            if not session.asked and not session.edited:
                del self._sessions[whose]
        self._early = {
            name: told for name, told in self._early.items() if told[-1].received_at >= until - KEPT
        }


def _move(slate: _Slate, told: _Told) -> None:
    if told.move in slate.told or told.hour < slate.shown_hour:
        return
    slate.told.add(told.move)
    if abs(told.received_at - slate.received_at) > SPAN:
        return
    known = max(told.received_at, slate.received_at)
    slate.session.edited.append(known)
    if told.move[1] == "chosen":
        slate.session.chosen.append(known)
