"""One ingest at a time: a file lock that the kernel releases even when its holder is killed."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager

from letterpress.errors import AlreadyRunningError
from letterpress.settings import Home

_POLL_SECONDS = 0.05


@contextmanager
def hold_ingest_lock(home: Home, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of this home for the block.

    Raises:
        AlreadyRunningError: another ingest still holds it after `wait_seconds`.
    """
    home.raw.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + wait_seconds
    with (home.raw / ".ingest.lock").open("w") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise AlreadyRunningError(
                        f"expected to be the only ingest of {home.root}, found another that still runs "
                        f"after {wait_seconds:g} s. Wait for it, then run ingest again."
                    ) from None
                time.sleep(_POLL_SECONDS)
        yield
