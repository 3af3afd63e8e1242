"""The one clock. Whoever needs the time takes a `Clock`; nothing else reads the wall clock.

Partitions are data time, so that days of delayed outcomes pass in minutes in tests and simulation.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from letterpress.atomic_file import write_atomically
from letterpress.errors import AlreadyRunningError

LEAD_SECONDS = 0.1
"""How long before it begins a slower time is announced: more than a write and a look take."""


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


@dataclass(frozen=True, slots=True)
class _Line:
    """Data time as a straight line over the wall clock's; both in seconds since the epoch."""

    data_epoch: float
    wall_epoch: float
    speed: float

    def at(self, wall: float) -> float:
        return self.data_epoch + (wall - self.wall_epoch) * self.speed


@dataclass(frozen=True, slots=True)
class _Course:
    """The line that holds, and the one that held until it begins."""

    line: _Line | None = None
    before: _Line | None = None

    def at(self, wall: float) -> float:
        if self.line is None:
            return wall
        line = self.before if self.before is not None and wall < self.line.wall_epoch else self.line
        return line.at(wall)

    @classmethod
    def read(cls, path: Path) -> _Course:
        found: dict[str, Any] = json.loads(path.read_bytes())
        before = found.pop("before", None)
        return cls(_line(found), None if before is None else _line(before))


def _line(found: dict[str, Any]) -> _Line:
    return _Line(float(found["data_epoch"]), float(found["wall_epoch"]), float(found["speed"]))


class ScaledClock:
    """Data time that runs `speed` times as fast as the wall clock, from an instant that a file names.

    Programs of one home share the file, so a day passes for all of them at once. The file is looked at
    again at most every `LOOK_SECONDS`; without one this is the system's time. A clock never goes behind what
    it has shown, whatever happens to its file or to the wall clock; only the first file may set it back.
    """

    LOOK_SECONDS = 0.002

    def __init__(self, path: Path) -> None:
        self._path = path
        self._looked = float("-inf")
        self._stamp: tuple[int, int] | None = None
        self._course = _Course()
        self._latest = float("-inf")

    def now(self) -> datetime:
        wall = time.time()
        if abs(wall - self._looked) > self.LOOK_SECONDS:
            self._looked = wall
            self._look()
        self._latest = max(self._latest, self._course.at(wall))
        return datetime.fromtimestamp(self._latest, UTC)

    def _look(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._stamp, self._course = None, _Course()
            return
        stamp = (status.st_mtime_ns, status.st_ino)
        if stamp != self._stamp:
            if self._course.line is None:
                self._latest = float("-inf")  # the first time that a home sets may well lie in the past
            self._course = _Course.read(self._path)
            self._stamp = stamp


def set_clock(path: Path, start: datetime | None = None, *, speed: float, is_durable: bool = True) -> None:
    """From now on the clock at `path` runs `speed` times as fast as the wall clock.

    It goes on from `start`, or from what it shows when none is given; when this returns, every program of
    the home has seen it. A slower time is announced `LEAD_SECONDS` before it begins, so that all change at
    the same instant and nobody has to go back. A step of many need not be durable; the last one must.

    Raises:
        ValueError: `start` lies before what the clock shows already, or `speed` is not above zero.
    """
    if not speed > 0:
        raise ValueError(f"expected a speed above 0, found {speed}")
    has_clock = path.exists()
    old = _Course.read(path) if has_clock else _Course()
    wall = time.time()
    shown = old.at(wall)
    if start is not None and has_clock and start.timestamp() < shown:
        raise ValueError(
            f"expected a start at or after {datetime.fromtimestamp(shown, UTC).isoformat()}, "
            f"found {start.isoformat()}"
        )
    held = old.line or _Line(wall, wall, 1.0)
    is_slower = speed < held.speed and (has_clock or start is None)
    begins = wall + LEAD_SECONDS if is_slower else wall
    data = old.at(begins) if start is None else start.timestamp()
    line = _Line(max(data, held.at(begins)) if is_slower else data, begins, speed)
    anchor = asdict(line) | ({"before": asdict(held)} if is_slower else {})
    write_atomically(path, json.dumps(anchor).encode(), is_durable=is_durable)
    time.sleep(max(0.0, begins - time.time()) + ScaledClock.LOOK_SECONDS)


@contextmanager
def drive_clock(path: Path) -> Iterator[None]:
    """The right to set the clock at `path`, for one program at a time; it goes at the wall's speed after.

    Raises:
        AlreadyRunningError: another program sets it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(
                f"expected to set the clock {path} alone, found another simulation that does; "
                "wait until it has ended."
            ) from None
        try:
            yield
        finally:
            if path.exists():
                set_clock(path, speed=1.0)
