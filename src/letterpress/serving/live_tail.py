"""Reads the live log as it grows: whole lines of all workers' files, a bounded amount at a time."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime

from letterpress.lake.live_log import drop_live, is_growing, live_log_folder, lose_live
from letterpress.lake.service_log import received_from
from letterpress.serving.live_events import LiveEvent, read_live_event
from letterpress.settings import Home

BYTES_AT_ONCE = 256 * 1024
"""Read, and decoded in some milliseconds, before requests get their turn."""


@dataclass
class _File:
    """A file of the live log, as far as it was read."""

    name: str
    stamp: datetime
    """Nothing in it was received earlier."""
    descriptor: int | None
    offset: int = 0
    rest: bytes = b""
    newest: datetime = field(default=datetime.min.replace(tzinfo=UTC))
    is_read: bool = False
    """To the end that it had when it was last looked at."""


class LiveTail:
    """All files of the live log of a home, oldest first."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._folder = live_log_folder(home.live)
        self._files: dict[str, _File] = {}
        self._folder_mark: int | None = None

    def read(self) -> tuple[list[LiveEvent], datetime | None]:
        """Events that were not read before, and the stamp of the oldest file that is not read to its end.

        None when all are: then everything that was on disk when this was called was returned.
        """
        self._look_for_files()
        budget, events = BYTES_AT_ONCE, []
        unread: datetime | None = None
        for file in self._files.values():
            if file.descriptor is None:
                continue
            if budget <= 0:
                unread = file.stamp if unread is None else min(unread, file.stamp)
                continue
            found = self._read_on(file, budget)
            budget -= sum(map(len, found))
            events += self._decode(file, found)
            if not file.is_read:
                unread = file.stamp if unread is None else min(unread, file.stamp)
        return events, unread

    def forget(self, held_until: datetime, too_old: datetime) -> None:
        """Let go of files that a snapshot holds, and of those of which nothing is newer than `too_old`."""
        for file in [each for each in self._files.values() if each.descriptor is None]:
            if file.newest < held_until:
                drop_live(self._home, file.name)
            elif file.newest < too_old:
                lose_live(self._home, file.name, file.newest)
            else:
                continue
            del self._files[file.name]

    def close(self) -> None:
        for file in self._files.values():
            if file.descriptor is not None:
                os.close(file.descriptor)
        self._files.clear()

    def _look_for_files(self) -> None:
        """Open what is new; a look into the folder costs more than one at its time."""
        try:
            mark = self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if mark == self._folder_mark:
            return
        self._folder_mark = mark
        for name in sorted((path.name for path in self._folder.iterdir()), key=_by_stamp):
            stamp = received_from(name)
            if stamp is None or name in self._files:
                continue
            with contextlib.suppress(FileNotFoundError):
                descriptor = os.open(self._folder / name, os.O_RDONLY)
                self._files[name] = _File(name, stamp, descriptor)

    def _read_on(self, file: _File, budget: int) -> list[bytes]:
        """Whole lines. The file is closed when it has ended and nobody writes to it any more."""
        assert file.descriptor is not None  # noqa: S101 - the caller looked
        grows = is_growing(self._home, file.name)
        piece = os.pread(file.descriptor, budget, file.offset)
        file.offset += len(piece)
        file.is_read = len(piece) < budget
        *lines, file.rest = (file.rest + piece).split(b"\n")
        if file.is_read and not grows:
            os.close(file.descriptor)
            file.descriptor = None
        return lines

    def _decode(self, file: _File, lines: list[bytes]) -> list[LiveEvent]:
        events = [event for line in lines if (event := read_live_event(line)) is not None]
        file.newest = max([file.newest, *(event.received_at for event in events)])
        return events


def _by_stamp(name: str) -> tuple[datetime, str]:
    return received_from(name) or datetime.max.replace(tzinfo=UTC), name
