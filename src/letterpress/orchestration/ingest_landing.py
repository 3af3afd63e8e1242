"""The step from landing to raw, as the DAG task and the command line call it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from letterpress.clock import Clock, ScaledClock
from letterpress.lake.ingest import ingest
from letterpress.lake.ledger import last_batch, mark_announced, pending_ranges
from letterpress.lake.partitions import HourRange
from letterpress.settings import Settings

_COUNTS = ("read", "raw", "duplicate", "quarantined")


def ingest_landing(settings: Settings, clock: Clock | None = None) -> dict[str, Any]:
    """Ingest what waits in landing; returns what became of it as a JSON-able dictionary.

    `ranges` are the keys of all hours that changed and were not announced yet, `batch` is what
    `announce_ranges` wants back.
    """
    home = settings.paths
    report = ingest(home, clock or ScaledClock(settings.paths.clock), threads=settings.threads)
    return {
        "files": [asdict(file) for file in report.files],
        **{name: report.total(name) for name in _COUNTS},
        "ranges": [each.key for each in pending_ranges(home)],
        "batch": last_batch(home),
    }


def announce_ranges(settings: Settings, ranges: list[str], batch: int) -> None:
    """Remember that `ranges` were announced as asset partitions; hours changed after `batch` stay open."""
    mark_announced(settings.paths, [HourRange.parse(key) for key in ranges], batch)
