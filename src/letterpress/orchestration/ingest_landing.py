"""The step from landing to raw, as the DAG task and the command line call it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from letterpress.clock import Clock, ScaledClock
from letterpress.lake.ingest import ingest
from letterpress.lake.ledger import FileReport, last_batch, mark_announced, pending_ranges, watermarks
from letterpress.lake.partitions import HourRange
from letterpress.lake.snapshot_layout import read_current
from letterpress.settings import Home, Settings

MOST_RANGES = 4
"""A range is a run of build_features, which takes most of a minute however few hours it rebuilds."""
NEAR_HOURS = 24
"""Outcomes trickle in over days: hours this near to each other are built in one run."""

_COUNTS = ("read", "raw", "duplicate", "quarantined")


def ingest_landing(settings: Settings, clock: Clock | None = None) -> dict[str, Any]:
    """Ingest what waits in landing; returns what became of it as a JSON-able dictionary.

    `reasons` counts the quarantined lines by code, in all and of every file.
    `watermarks` says for every tenant up to which event time its log is taken for complete.
    `ranges` are the keys of all hours that changed and were not announced yet, one for them all before the
    first snapshot; `batch` is what `announce_ranges` wants back.
    """
    home = settings.paths
    report = ingest(home, clock or ScaledClock(settings.paths.clock), threads=settings.threads)
    return {
        "files": [asdict(file) for file in report.files],
        **total_counts(report.files),
        "watermarks": watermark_texts(settings),
        "masked": [
            {"event": event, "field": name, "kind": kind, "found": found}
            for (event, name, kind), found in sorted(report.masked.items())
        ],
        "ranges": [each.key for each in pending_ranges(home, _most_ranges(home), near_hours=NEAR_HOURS)],
        "batch": last_batch(home),
    }


def total_counts(files: Iterable[FileReport]) -> dict[str, Any]:
    """`read`, `raw`, `duplicate` and `quarantined` over all files, and the `reasons` with their lines."""
    totals: Counter[str] = Counter(dict.fromkeys(_COUNTS, 0))
    reasons: Counter[str] = Counter()
    for file in files:
        totals.update({name: getattr(file, name) for name in _COUNTS})
        reasons.update(file.reasons)
    return {**totals, "reasons": dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0])))}


def watermark_texts(settings: Settings) -> dict[str, str]:
    """For every tenant the event time up to which its log is taken for complete."""
    lateness = timedelta(hours=settings.lateness_hours)
    return {tenant: each.isoformat() for tenant, each in watermarks(settings.paths, lateness).items()}


def _most_ranges(home: Home) -> int:
    """One before the first build, which writes all of history whatever it is asked for."""
    return MOST_RANGES if read_current(home) is not None else 1


def announce_ranges(settings: Settings, ranges: list[str], batch: int) -> None:
    """Remember that `ranges` were announced as asset partitions; hours changed after `batch` stay open."""
    mark_announced(settings.paths, [HourRange.parse(key) for key in ranges], batch)
