"""Upkeep of the lake, as the command line calls it: JSON-able dictionaries out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from letterpress.clock import Clock, ScaledClock
from letterpress.errors import StorageError
from letterpress.lake.ingest_lock import hold_ingest_lock
from letterpress.lake.retention import retain
from letterpress.lake.verify import verify_lake
from letterpress.log import log_step
from letterpress.settings import Settings


def verify(settings: Settings, *, wait_seconds: float = 30.0) -> dict[str, Any]:
    """Every file of the lake against its recorded checksum: `files`, `bytes` and the `differences`.

    Raises:
        AlreadyRunningError: an ingest is under way.
        StorageError: the ledger cannot be read.
    """
    home = settings.paths
    with log_step("verify_lake") as counts, hold_ingest_lock(home, wait_seconds):
        found = verify_lake(home)
        counts.update(files=found.files, differing=len(found.differences))
    return {
        "files": found.files,
        "bytes": found.n_bytes,
        "differences": [asdict(each) for each in found.differences],
    }


def require_undamaged(settings: Settings) -> dict[str, Any]:
    """What `verify` found, when nothing differs.

    Raises:
        StorageError: a file differs from its recorded checksum; names the first and says what to run.
        AlreadyRunningError: an ingest is under way.
    """
    found = verify(settings)
    differences = found["differences"]
    if differences:
        first = differences[0]
        raise StorageError(
            f"expected {found['files']} files with their recorded checksums, found {len(differences)} that "
            f"differ; first {first['path']}: {first['kind']}. To do: {first['next_step']}."
        )
    return found


def apply_retention(settings: Settings, clock: Clock | None = None) -> dict[str, Any]:
    """Drop and unlink what is older than the settings allow: counts by event type, and `ranges` to build.

    Raises:
        AlreadyRunningError: an ingest is under way.
        StorageError: a file of raw is damaged; nothing was changed.
    """
    at = (clock or ScaledClock(settings.paths.clock)).now()
    with log_step("retain") as counts:
        done = retain(settings.paths, settings.retention, at)
        counts.update(removed=sum(done.removed.values()), unlinked=sum(done.unlinked.values()))
    return asdict(done)
