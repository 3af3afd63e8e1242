"""One demo at a time in a home."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from letterpress.errors import AlreadyRunningError
from letterpress.settings import Settings


@contextmanager
def hold_demo_lock(settings: Settings) -> Iterator[None]:
    """Held until the block ends, or the process, however it ends.

    Raises:
        AlreadyRunningError: another demo runs in the same home.
    """
    root = settings.paths.root
    root.mkdir(parents=True, exist_ok=True)
    with (root / "demo.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(
                f"another demo runs in {root}. Wait for it to end, or give this one a home and ports of its "
                "own (LETTERPRESS_HOME, LETTERPRESS_AIRFLOW__PORT, ...)."
            ) from None
        yield
