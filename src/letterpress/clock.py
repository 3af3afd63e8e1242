"""The one clock. Whoever needs the time takes a `Clock`; nothing else reads the wall clock.

Partitions are data time, so that days of delayed outcomes pass in minutes in tests and simulation.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from letterpress.atomic_file import write_atomically


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


class ScaledClock:
    """Data time that runs `speed` times as fast as the wall clock, from an instant that a file names.

    Programs of one home share the file, so a day passes for all of them at once. The file is looked at
    again at most every `LOOK_SECONDS`; without one this is the system's time.
    """

    LOOK_SECONDS = 0.2

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looked = float("-inf")
        self._stamp: tuple[int, int] | None = None
        self._anchor: tuple[float, float, float] | None = None

    def now(self) -> datetime:
        wall = time.time()
        if abs(wall - self._looked) > self.LOOK_SECONDS:
            self._looked = wall
            self._look()
        if self._anchor is None:
            return datetime.fromtimestamp(wall, UTC)
        data_epoch, wall_epoch, speed = self._anchor
        return datetime.fromtimestamp(data_epoch + (wall - wall_epoch) * speed, UTC)

    def _look(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._anchor = None, None
            return
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            read = json.loads(self._path.read_bytes())
            self._anchor = (float(read["data_epoch"]), float(read["wall_epoch"]), float(read["speed"]))
            self._stamp = stamp


def set_clock(path: Path, start: datetime | None = None, *, speed: float) -> None:
    """From now on the clock at `path` runs `speed` times as fast as the wall clock.

    It goes on from `start`, or from what it shows when none is given.

    Raises:
        ValueError: `start` lies before what the clock shows already, or `speed` is not above zero.
    """
    shown = ScaledClock(path).now()
    if not speed > 0:
        raise ValueError(f"expected a speed above 0, found {speed}")
    if start is not None and path.exists() and start < shown:
        raise ValueError(f"expected a start at or after {shown.isoformat()}, found {start.isoformat()}")
    anchor = {"data_epoch": (start or shown).timestamp(), "wall_epoch": time.time(), "speed": speed}
    write_atomically(path, json.dumps(anchor).encode())
