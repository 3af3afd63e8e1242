"""Takes lines back out of quarantine that a fix has made readable.

They go the way of any log: into landing, encrypted, and through ingest; only then they leave quarantine.
Killed anywhere, the next run does the rest: what was ingested meanwhile counts as duplicate, never twice.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from letterpress.atomic_file import sync_path
from letterpress.clock import Clock
from letterpress.errors import UsageError
from letterpress.events.codec import REASONS, MalformedEventError, decode_line
from letterpress.lake.ingest_lock import hold_ingest_lock
from letterpress.lake.landing import land_lines
from letterpress.lake.ledger import commit_requeue, finish_moves
from letterpress.lake.quarantine import quarantine_files, raw_of, read_quarantine_file
from letterpress.lake.tenant_keys import TenantKeys
from letterpress.log import log_step
from letterpress.settings import Home


@dataclass(frozen=True, slots=True)
class Readable:
    """Lines of one file in quarantine that are events now."""

    path: Path
    landed: Path
    lines: frozenset[bytes]
    """As they lie in quarantine."""


@dataclass
class RequeuePlan:
    """What can be taken back, and how many lines stay: unreadable still, or for want of their key."""

    files: list[Readable] = field(default_factory=list)
    still_bad: int = 0
    without_key: int = 0

    @property
    def taken(self) -> int:
        return sum(len(file.lines) for file in self.files)


def land_readable(home: Home, *, reason: str | None, wait_seconds: float = 30.0) -> RequeuePlan:
    """Land the quarantined lines that decode today, for the next ingest. Safe to repeat.

    Raises:
        UsageError: a reason that does not exist.
        AlreadyRunningError: an ingest of this home runs.
        StorageError: quarantine is damaged, or its keys cannot be read.
    """
    if reason is not None and reason not in REASONS:
        raise UsageError(f"expected a reason out of {', '.join(sorted(REASONS))}; found {reason!r}.")
    plan, keys = RequeuePlan(), TenantKeys(home.keys)
    with hold_ingest_lock(home, wait_seconds):
        finish_moves(home)
        for path in quarantine_files(home):
            _plan_file(home, path, reason, keys, plan)
    return plan


def _plan_file(home: Home, path: Path, reason: str | None, keys: TenantKeys, plan: RequeuePlan) -> None:
    texts: set[bytes] = set()
    events: list[bytes] = []
    for text, line in read_quarantine_file(path):
        if reason is not None and line.code != reason:
            continue
        raw = raw_of(line, keys)
        if raw is None:
            plan.without_key += 1
        elif not _is_event(raw):
            plan.still_bad += 1
        else:
            texts.add(text)
            events.append(raw)
    if events:
        landed = land_lines(home, f"requeue-{path.stem}", events)
        plan.files.append(Readable(path, landed, frozenset(texts)))


def _is_event(raw: bytes) -> bool:
    try:
        decode_line(raw)
    except MalformedEventError:
        return False
    return True


def drop_taken(home: Home, plan: RequeuePlan, clock: Clock, *, wait_seconds: float = 30.0) -> int:
    """Remove from quarantine what an ingest took in, and say so in the ledger; how many lines that were.

    Raises:
        AlreadyRunningError: an ingest of this home runs.
        StorageError: quarantine or the ledger cannot be read or written.
    """
    dropped = 0
    with hold_ingest_lock(home, wait_seconds), log_step("requeue") as counts:
        finish_moves(home)
        for file in plan.files:
            dropped += _drop(home, file, clock)
        counts["lines"] = dropped
    return dropped


def _drop(home: Home, file: Readable, clock: Clock) -> int:
    """Rewrite one file without the lines that were taken; none are when another run was first."""
    if file.landed.exists() or not file.path.exists():
        return 0
    kept: list[bytes] = []
    codes: Counter[str] = Counter()
    for text, line in read_quarantine_file(file.path):
        if text in file.lines:
            codes[line.code] += 1
        else:
            kept.append(text)
    staged = home.raw / ".staging" / f"requeue-{file.path.name}"
    staged.parent.mkdir(parents=True, exist_ok=True)
    with staged.open("wb") as stream:
        stream.writelines(kept)
        stream.flush()
        os.fsync(stream.fileno())
    sync_path(staged.parent)
    taken = [(file.path.stem, code, lines) for code, lines in sorted(codes.items())]
    commit_requeue(home, taken, [(staged, file.path)], clock.now())
    finish_moves(home)
    return codes.total()
