"""Upkeep of the lake beside ingest, as the DAG tasks and the command line call it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from letterpress.lake.identity_store import rebuild_identity
from letterpress.lake.ingest_lock import hold_ingest_lock
from letterpress.lake.ledger import adjust_rows, adjusted_rows, finish_moves, open_ledger, total_counts
from letterpress.lake.ledger_balance import check_balance, count_raw
from letterpress.settings import Settings

_WAIT_SECONDS = 30.0


def check_ledger(settings: Settings) -> dict[str, Any]:
    """Rows in raw and quarantine, counted again and as the ledger says.

    Raises:
        StorageError: they differ.
        AlreadyRunningError: an ingest goes on.
    """
    with hold_ingest_lock(settings.paths, _WAIT_SECONDS):
        finish_moves(settings.paths)
        return asdict(check_balance(settings.paths))


def reindex_lake(settings: Settings) -> dict[str, Any]:
    """Make the index of known events anew from raw, and let files that were ingested before be read again.

    What raw has lost is entered in the ledger, which adds up again.

    Raises:
        AlreadyRunningError: an ingest goes on.
    """
    home = settings.paths
    with hold_ingest_lock(home, _WAIT_SECONDS):
        finish_moves(home)
        runs = rebuild_identity(home, read_files_again=True)
        lost = total_counts(home)["raw"] + adjusted_rows(home, "raw") - count_raw(home)
        with open_ledger(home) as ledger:
            adjust_rows(ledger, "raw", -lost, "missing at a reindex")
    return {"runs": len(runs), "events": sum(run.n_keys for run in runs)}
