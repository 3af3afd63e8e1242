"""The one clock. Whoever needs the time takes a `Clock`; nothing else reads the wall clock.

Partitions are data time, so that days of delayed outcomes pass in minutes in tests and simulation.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Says what time it is, always in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock that moves only when it is told to. Never backwards."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError(f"expected a start with a time zone, found {start!r}; add tzinfo=UTC")
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, step: timedelta) -> None:
        if step < timedelta(0):
            raise ValueError(f"expected a step of zero or more, found {step}; time never runs back")
        self._now += step
