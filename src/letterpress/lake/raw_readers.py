"""Readers of many raw files at once, and the moment in which compaction changes which files there are.

A file is replaced by a rename, so whoever reads one file needs no lock. Compaction also deletes files, and
for an instant rows lie in two places: whoever lists raw and then reads it must not run then.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from letterpress.errors import AlreadyRunningError, BrokenError
from letterpress.lake.ingest_lock import hold_ingest_lock
from letterpress.lake.ledger import finish_moves, ledger_path, open_ledger
from letterpress.lake.warehouse import connect_warehouse
from letterpress.settings import Home

_POLL_SECONDS = 0.02
_OWED = "select exists (select 1 from moves) or exists (select 1 from replaced)"


def settle_raw(home: Home, wait_seconds: float = 30.0) -> None:
    """Finish what a killed process left half done in raw, if anything.

    Raises:
        AlreadyRunningError: the process was not killed, and still runs after `wait_seconds`.
    """
    if not ledger_path(home).is_file():
        return
    with open_ledger(home) as ledger:
        (is_owed,) = ledger.execute(_OWED).fetchone()
    if is_owed:
        with hold_ingest_lock(home, wait_seconds):
            finish_moves(home)


@contextmanager
def reading_raw(home: Home, wait_seconds: float = 30.0) -> Iterator[None]:
    """Settle raw, and keep the list of its files as it is for the block.

    Raises:
        AlreadyRunningError: a compaction changes it and is not done after `wait_seconds`.
    """
    settle_raw(home, wait_seconds)
    with _locked(home, fcntl.LOCK_SH, time.monotonic() + wait_seconds):
        yield


@contextmanager
def swapping_raw(home: Home, wait_seconds: float) -> Iterator[None]:
    """Keep away those who read raw: gates, and dbt, which holds the warehouse as long as it runs.

    Raises:
        AlreadyRunningError: one of them still runs after `wait_seconds`.
    """
    deadline = time.monotonic() + wait_seconds
    with _locked(home, fcntl.LOCK_EX, deadline), ExitStack() as stack:
        while home.warehouse.exists():
            try:
                stack.enter_context(connect_warehouse(home, read_only=False, threads=1))
                break
            except BrokenError as error:
                _wait_until(deadline, home, error)
        yield


@contextmanager
def _locked(home: Home, kind: int, deadline: float) -> Iterator[None]:
    home.raw.mkdir(parents=True, exist_ok=True)
    with (home.raw / ".readers.lock").open("w") as stream:
        while True:
            try:
                fcntl.flock(stream, kind | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                _wait_until(deadline, home, error)
        yield


def _wait_until(deadline: float, home: Home, error: Exception) -> None:
    if time.monotonic() >= deadline:
        raise AlreadyRunningError(
            f"expected {home.raw} to be read by nobody while its files are replaced, or the other way round; "
            "found another process that does. Wait for it, then run this again."
        ) from error
    time.sleep(_POLL_SECONDS)
