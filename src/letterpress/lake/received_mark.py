"""Up to when a worker has put on disk everything that it received: one small file a worker.

The lock on it dies with the worker. What a dead worker had in memory is lost, so its mark says nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
from datetime import UTC, datetime
from pathlib import Path

_BYTES = 8
_numbers = itertools.count()


class ReceivedMark:
    """The mark of this worker in `folder`. Other processes may read it at any moment."""

    def __init__(self, folder: Path, at: datetime) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{os.getpid()}-{next(_numbers)}.mark"
        hidden = self._path.with_name(f".{self._path.name}.new")  # locked before anybody can see it
        self._descriptor = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        self.set(at)
        hidden.replace(self._path)

    def set(self, at: datetime) -> None:
        """Everything that was received before `at` is on disk."""
        self.at = at
        os.pwrite(self._descriptor, _microseconds(at).to_bytes(_BYTES, "little"), 0)

    def close(self) -> None:
        """Take the mark away: there is nothing in memory any more."""
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def read_marks(folder: Path) -> list[datetime]:
    """The marks of the workers that live; those of dead ones are deleted."""
    marks = []
    for path in folder.glob("[!.]*.mark"):
        with contextlib.suppress(FileNotFoundError), path.open("rb") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                marks.append(_moment(os.pread(stream.fileno(), _BYTES, 0)))
            else:
                path.unlink(missing_ok=True)
    return marks


def _microseconds(at: datetime) -> int:
    return round(at.timestamp() * 1e6)


def _moment(content: bytes) -> datetime:
    return datetime.fromtimestamp(int.from_bytes(content, "little") / 1e6, UTC)
