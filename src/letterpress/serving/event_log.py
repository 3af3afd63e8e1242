"""The durable log of the service: append in memory, write and fdatasync in a thread (ADR 0006).

Slates are appended and forgotten; events are appended with a future that is done when they are on disk,
so that an accepted event survives the death of the process. Files are `<name>.jsonl.open` while they
grow and lose the `.open` when they are landed. The lock on an open file dies with its process, which is
how a later start knows what was left behind.

A mark says up to when everything that this worker received is on disk (ADR 0025). Whoever stamps an event
holds the mark back until its line is written.

When the disk takes nothing the service stays up: waiting events are refused at once, slates are kept up
to a bound and then counted as unlogged, and the write is tried again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path

from letterpress.atomic_file import sync_path
from letterpress.clock import Clock
from letterpress.errors import StorageError
from letterpress.lake.live_log import OPEN_SUFFIX, link_live
from letterpress.lake.received_mark import ReceivedMark
from letterpress.lake.service_log import log_file_name
from letterpress.log import logger
from letterpress.serving.messages import LogState

MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_PENDING_BYTES = 64 * 1024 * 1024
RETRY_SECONDS = 1.0
STOP_SECONDS = 10.0
_numbers = itertools.count()  # of a process: two logs in one folder never write the same file


class LogFullError(StorageError):
    """The disk, or the memory in front of it, takes no more."""

    http_status = 507
    title = "Log is full"


def land_abandoned(folder: Path) -> list[Path]:
    """Land the files that dead processes left open; a torn last line is for ingest to quarantine."""
    landed = []
    for path in sorted(folder.glob(f"*{OPEN_SUFFIX}")):
        with contextlib.suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            landed.append(_land(path))
    return landed


def _land(path: Path) -> Path:
    target = path.with_name(path.name.removesuffix(OPEN_SUFFIX))
    if path.stat().st_size == 0:
        path.unlink()
    else:
        path.rename(target)
        sync_path(path.parent)
    return target


class _OpenFile:
    """One growing file. `synced_bytes` of it are on disk."""

    def __init__(self, path: Path, live: Path | None) -> None:
        self.path = path
        self.opened_at = time.monotonic()
        self.synced_bytes = 0
        hidden = path.with_name(f".{path.name}.new")  # locked before anybody can see it
        self._descriptor = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        hidden.rename(path)
        if live is not None:
            link_live(live, path)
        sync_path(path.parent)

    def append(self, content: bytes) -> None:
        """Put `content` on disk, or raise OSError and leave the file as it was."""
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
            os.fdatasync(self._descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self.synced_bytes)
            raise
        self.synced_bytes += len(content)

    def land(self) -> None:
        """Rename the file for ingest, then let go of its lock."""
        try:
            _land(self.path)
        finally:
            os.close(self._descriptor)


class EventLog:
    """Lines in, files in `folder` out. `append` and `append_durable` may be called from any thread."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        flush_seconds: float = 0.1,
        rotate_seconds: float = 5.0,
        max_pending_bytes: int = MAX_PENDING_BYTES,
        live: Path | None = None,
    ) -> None:
        """`live` is where other processes find this log, and up to when it is complete (`Home.live`)."""
        self._folder, self._clock = folder, clock
        self._flush_seconds, self._rotate_seconds = flush_seconds, rotate_seconds
        self._max_pending_bytes = max_pending_bytes
        self._live = live
        self._lock, self._wake = threading.Lock(), threading.Event()
        self._held: dict[int, datetime] = {}
        self._written_until = clock.now()
        self._mark: ReceivedMark | None = None
        self._slates: list[bytes] = []
        self._events: list[tuple[bytes, Future[None]]] = []
        self._pending_bytes = 0
        self._unlogged_slates = 0
        self._reason: str | None = None
        self._is_stopping = False
        self._file: _OpenFile | None = None
        self._thread = threading.Thread(target=self._run, name="event-log", daemon=True)

    def start(self) -> None:
        """Land what a dead process left, and start to write."""
        with contextlib.suppress(OSError):  # the writer finds the same and says so
            self._folder.mkdir(parents=True, exist_ok=True)
            land_abandoned(self._folder)
        self._written_until = self._clock.now()
        self._set_mark(self._written_until)
        self._thread.start()

    def stop(self) -> None:
        """Write what is in memory, land the file and end the thread."""
        self._is_stopping = True
        self._wake.set()
        self._thread.join(STOP_SECONDS)
        if self._mark is not None and not self._thread.is_alive():
            self._mark.close()
            self._mark = None

    def state(self) -> LogState:
        return LogState(
            healthy=self._reason is None and self._thread.is_alive(),
            reason=self._reason,
            pending_bytes=self._pending_bytes,
            unlogged_slates=self._unlogged_slates,
        )

    def hold_mark(self) -> int:
        """A ticket: what is stamped from now on counts as unwritten until `release_mark` gets it back."""
        ticket = next(_numbers)
        with self._lock:
            self._held[ticket] = self._clock.now()
        return ticket

    def release_mark(self, ticket: int) -> None:
        """Everything that was stamped under this ticket is appended, or never will be."""
        with self._lock:
            self._held.pop(ticket, None)

    def append_stamped(self, to_line: Callable[[datetime], bytes]) -> bool:
        """Log a slate soon; `to_line` is told when it was received. False when memory is full."""
        with self._lock:
            return self._append(to_line(self._clock.now()))

    def append(self, line: bytes) -> bool:
        """Log a slate soon. False, and the slate is counted as unlogged, when memory is full."""
        with self._lock:
            return self._append(line)

    def _append(self, line: bytes) -> bool:
        if self._pending_bytes + len(line) > self._max_pending_bytes:
            self._unlogged_slates += 1
            return False
        self._slates.append(line)
        self._pending_bytes += len(line)
        return True

    def append_durable(self, lines: bytes) -> Future[None]:
        """A future that is done when `lines` (no line end at the end) are on disk.

        It fails with a StorageError when they are not; then none of them counts as accepted.
        """
        future: Future[None] = Future()
        with self._lock:
            if self._reason is not None or self._is_stopping:
                future.set_exception(
                    StorageError(self._reason or "the service is stopping; send them again.")
                )
                return future
            if self._pending_bytes + len(lines) > self._max_pending_bytes:
                future.set_exception(LogFullError("the log's memory is full; send the events again later."))
                return future
            self._events.append((lines, future))
            self._pending_bytes += len(lines)
        self._wake.set()
        return future

    def _run(self) -> None:
        while not self._is_stopping:
            self._wake.wait(self._flush_seconds if self._reason is None else RETRY_SECONDS)
            self._wake.clear()
            self._flush()
            self._rotate(force=False)
        self._flush()
        self._rotate(force=True)

    def _take(self) -> tuple[list[bytes], list[tuple[bytes, Future[None]]], datetime]:
        """What is to be written, and up to when it is all that was received."""
        with self._lock:
            slates, events = self._slates, self._events
            self._slates, self._events, self._pending_bytes = [], [], 0
            until = min([self._clock.now(), *self._held.values()])
        taken = [(lines, future) for lines, future in events if future.set_running_or_notify_cancel()]
        return slates, taken, until

    def _flush(self) -> None:
        slates, events, until = self._take()
        if not slates and not events and self._reason is None:
            self._set_mark(until)
            return
        content = b"\n".join([*slates, *(lines for lines, _ in events), b""])
        try:
            self._write(content)
        except OSError as error:
            self._fail(error, slates, events)
            return
        if self._reason is not None:
            logger.info("event_log writes again folder=%s", self._folder)
            self._reason = None
        self._set_mark(until)
        for _, future in events:
            future.set_result(None)

    def _set_mark(self, until: datetime) -> None:
        self._written_until = until
        if self._live is None:
            return
        with contextlib.suppress(OSError):  # the older mark stands, or the next flush makes one
            if self._mark is None:
                self._mark = ReceivedMark(self._live, until)
            self._mark.set(until)

    def _write(self, content: bytes) -> None:
        if self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            name = log_file_name(os.getpid(), self._written_until, next(_numbers))
            self._file = _OpenFile(self._folder / f"{name}{OPEN_SUFFIX}", self._live)
        self._file.append(content)

    def _fail(self, error: OSError, slates: list[bytes], events: list[tuple[bytes, Future[None]]]) -> None:
        """Refuse the events, keep the slates, and begin a new file, as the old is suspect."""
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        cause = "the disk is full" if is_full else f"the disk failed ({error.strerror})"
        if self._reason is None:
            logger.error("event_log failed reason=%s folder=%s", error.strerror, self._folder)
        self._reason = (
            f"{cause}: {self._folder} took no more; nothing of this batch was accepted, send it again."
        )
        with self._lock:
            self._slates[:0] = slates
            self._pending_bytes += sum(map(len, slates))
        refusal = (LogFullError if is_full else StorageError)(self._reason)
        for _, future in events:
            future.set_exception(refusal)
        self._rotate(force=True)

    def _rotate(self, *, force: bool) -> None:
        file = self._file
        if file is None:
            return
        is_old = time.monotonic() - file.opened_at >= self._rotate_seconds
        if force or is_old or file.synced_bytes >= MAX_FILE_BYTES:
            self._file = None
            try:
                file.land()
            except OSError as error:  # stays `.open`; the next start lands it
                logger.warning("event_log not landed file=%s reason=%s", file.path.name, error.strerror)
