"""Upkeep of the lake beside ingest, as DAG tasks and the command line call it: JSON-able dictionaries out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from letterpress.clock import Clock, ScaledClock
from letterpress.errors import StorageError
from letterpress.lake.compaction import compact
from letterpress.lake.identity_store import rebuild_identity
from letterpress.lake.ingest_lock import hold_ingest_lock
from letterpress.lake.ledger import adjust_rows, adjusted_rows, finish_moves, open_ledger, total_counts
from letterpress.lake.ledger_balance import check_balance, count_raw
from letterpress.lake.live_erasure import retain_in_live
from letterpress.lake.retention import limits_of, retain
from letterpress.lake.verify import verify_lake
from letterpress.lake.whole_raw import forget_missing
from letterpress.log import log_step
from letterpress.settings import Settings

WAIT_SECONDS = 30.0


def verify(settings: Settings, *, wait_seconds: float = WAIT_SECONDS) -> dict[str, Any]:
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
    """What was older than the settings allow: counts by event type, `live` lines, and `ranges` to build.

    Raises:
        AlreadyRunningError: an ingest is under way.
        StorageError: a file of raw is damaged; nothing was changed.
    """
    at = (clock or ScaledClock(settings.paths.clock)).now()
    with log_step("retain") as counts:
        done = retain(settings.paths, settings.retention, at)
        live = retain_in_live(settings.paths, limits_of(settings.retention, at))
        counts.update(removed=sum(done.removed.values()), unlinked=sum(done.unlinked.values()), live=live)
    return {**asdict(done), "live": live}


def compact_lake(settings: Settings, *, wait_seconds: float = 30.0) -> dict[str, Any]:
    """Make one file of the hour files of each old day: `days`, and files and bytes before and after.

    Raises:
        AlreadyRunningError: an ingest, a build or a gate is under way.
        StorageError: a file is not as it was recorded; its day and later ones stay as they were.
    """
    done = compact(settings.paths, settings.compact_after_days, wait_seconds=wait_seconds)
    return asdict(done)


def check_ledger(settings: Settings) -> dict[str, Any]:
    """Rows in raw and quarantine, counted again and as the ledger says.

    Raises:
        StorageError: they differ.
        AlreadyRunningError: an ingest goes on.
    """
    with hold_ingest_lock(settings.paths, WAIT_SECONDS):
        finish_moves(settings.paths)
        return asdict(check_balance(settings.paths))


def reindex_lake(settings: Settings) -> dict[str, Any]:
    """Make the index of known events anew from raw, and let files that were ingested before be read again.

    What raw has lost is entered in the ledger, which adds up again; the next build writes all of history.

    Raises:
        AlreadyRunningError: an ingest goes on.
    """
    home = settings.paths
    with hold_ingest_lock(home, WAIT_SECONDS):
        finish_moves(home)
        runs = rebuild_identity(home, read_files_again=True)
        lost = total_counts(home)["raw"] + adjusted_rows(home, "raw") - count_raw(home)
        with open_ledger(home) as ledger:
            adjust_rows(ledger, "raw", -lost, "missing at a reindex")
            forget_missing(home, ledger)
    return {"runs": len(runs), "events": sum(run.n_keys for run in runs)}
