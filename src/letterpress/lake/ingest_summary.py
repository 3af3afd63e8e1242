"""What the ledger says about ingest, for people: totals, the last batch, files, why lines were put aside."""

from __future__ import annotations

from typing import Any

from letterpress.lake.ledger import FileReport, ledger_path, open_ledger, total_counts
from letterpress.lake.put_aside import quarantine_reasons
from letterpress.settings import Home

_LAST_BATCH = """
    select count(*), sum(read), sum(raw), sum(duplicate), sum(quarantined), max(ingested_at)
    from files
    where batch = (select max(batch) from files)
"""


def summarise_ingest(home: Home) -> dict[str, Any] | None:
    """`total` and `last` counts of lines, and `reasons` of quarantine; None before the first ingest.

    Raises:
        StorageError: the ledger cannot be read.
    """
    if not ledger_path(home).is_file():
        return None
    total = total_counts(home)
    if total["files"] == 0:
        return None
    with open_ledger(home) as ledger:
        row = ledger.execute(_LAST_BATCH).fetchone()
    names = ("files", "read", "raw", "duplicate", "quarantined", "ingested_at")
    return {"total": total, "last": dict(zip(names, row, strict=True)), "reasons": quarantine_reasons(home)}


def newest_report(home: Home, path: str) -> FileReport | None:
    """What became of the file `path` when it was last read, by whichever process; None when it never was."""
    with open_ledger(home) as ledger:
        row = ledger.execute(
            "select file_id, read, raw, duplicate, quarantined from files where path = ? "
            "order by file_id desc limit 1",
            (path,),
        ).fetchone()
        if row is None:
            return None
        file_id, read, raw, duplicate, quarantined = row
        reasons = ledger.execute(
            "select code, lines from reasons where file_id = ? order by lines desc, code", (file_id,)
        )
        return FileReport(path, read, raw, duplicate, quarantined, dict(reasons.fetchall()))
