"""Lets go of what is older than the settings allow: events by their type, identifiers of people sooner."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from letterpress.events.types import EVENT_NAMES, personal_fields
from letterpress.lake.ingest_lock import hold_ingest_lock
from letterpress.lake.ledger import finish_moves
from letterpress.lake.partitions import HOUR, coalesce_hours, format_hour, parse_hour
from letterpress.lake.rewrite import Change, Mask, Rewrite, commit_rewrite, stage_rewrite
from letterpress.settings import Home, RetentionSettings

PERSONAL = tuple(sorted({name for event in EVENT_NAMES for name in personal_fields(event)}))
"""The columns of raw that hold keyed hashes of people."""
IDENTIFIER = "identifier"
"""What limits call them."""
_SCHEMA = """
create table if not exists retained (
    at text not null, event text not null, older_than text not null,
    removed integer not null, unlinked integer not null
)
"""


@dataclass(frozen=True, slots=True)
class Retained:
    """What one run let go of, by event type, and the ranges that are to be built again."""

    removed: Mapping[str, int]
    unlinked: Mapping[str, int]
    files: int
    ranges: list[str]


def retain(home: Home, retention: RetentionSettings, at: datetime, *, wait_seconds: float = 30.0) -> Retained:
    """Drop events, and unlink identifiers, that are older than `retention` says at the moment `at`.

    A limit counts in whole hours back from `at`: an hour goes once its last event is too old. Hours that
    lost events wait to be announced, so the next `ingest_events` has them built again without those.

    Raises:
        AlreadyRunningError: an ingest, or another of these, runs.
        StorageError: a file of raw is damaged; nothing was changed.
    """
    limits = limits_of(retention, at)
    if not limits:
        return Retained({}, {}, 0, [])
    with hold_ingest_lock(home, wait_seconds):
        finish_moves(home)
        staged = stage_rewrite(
            home, ("occurred_at", *PERSONAL), lambda event, rows: _judge(limits, event, rows)
        )
        removed, unlinked = _by_event(staged)
        if staged.files:
            commit_rewrite(home, staged, lambda ledger: _note(ledger, at, limits, removed, unlinked))
    ranges = coalesce_hours(parse_hour(hour) for _, hour in staged.hours)
    return Retained(removed, unlinked, len(staged.files), [each.key for each in ranges])


def limits_of(retention: RetentionSettings, at: datetime) -> dict[str, datetime]:
    """The moment before which events of a type, or identifiers, are too old."""
    whole = parse_hour(format_hour(at)) + HOUR
    days = {name: getattr(retention, f"{name}_days") for name in (*EVENT_NAMES, IDENTIFIER)}
    return {name: whole - timedelta(days=each) for name, each in days.items() if each is not None}


def is_too_old(at: datetime, limit: datetime | None) -> bool:
    """Whether an hour ends before `limit`: that in which `at` lies."""
    return limit is not None and at < limit - HOUR


def _judge(limits: Mapping[str, datetime], event: str, rows: pa.Table) -> Change:
    remove = _older(rows, limits.get(event))
    unlink = {
        name: _older(rows, limits.get(IDENTIFIER)) & pc.is_valid(rows[name]).to_numpy()
        for name in PERSONAL
        if name in rows.column_names
    }
    return Change(remove, unlink)


def _older(rows: pa.Table, limit: datetime | None) -> Mask:
    if limit is None:
        return np.zeros(len(rows), bool)
    hour = pc.floor_temporal(rows["occurred_at"], unit="hour")
    return np.asarray(pc.less(hour, pa.scalar(limit - HOUR, hour.type)).to_numpy(), bool)


def _by_event(staged: Rewrite) -> tuple[dict[str, int], dict[str, int]]:
    removed: dict[str, int] = {}
    unlinked: dict[str, int] = {}
    for file in staged.files:
        event = file.path.rpartition("/")[2].removesuffix(".parquet")
        for counts, number in ((removed, file.removed), (unlinked, file.unlinked)):
            if number:
                counts[event] = counts.get(event, 0) + number
    return removed, unlinked


def _note(
    ledger: sqlite3.Connection,
    at: datetime,
    limits: Mapping[str, datetime],
    removed: Mapping[str, int],
    unlinked: Mapping[str, int],
) -> None:
    ledger.execute(_SCHEMA)
    for event in sorted({*removed, *unlinked}):
        limit = limits.get(event if event in removed else IDENTIFIER, at)
        ledger.execute(
            "insert into retained values (?, ?, ?, ?, ?)",
            (at.isoformat(), event, limit.isoformat(), removed.get(event, 0), unlinked.get(event, 0)),
        )
