"""Landing to raw: every line ends in raw, as a duplicate, or in quarantine, and the ledger says which.

A batch of files is staged, then committed in the ledger together with the renames that it still owes, then
renamed. Killed before the commit, nothing has changed; killed after it, the next run does the renames.
"""

from __future__ import annotations

import errno
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from letterpress.clock import Clock
from letterpress.errors import StorageError
from letterpress.events.codec import REASONS, MalformedEventError, read_line
from letterpress.events.types import EVENT_NAMES, EVENT_TYPES
from letterpress.lake.durability import sync_paths
from letterpress.lake.ingest_lock import hold_ingest_lock
from letterpress.lake.landing import archive_path, list_landing
from letterpress.lake.ledger import FileEntry, FileReport, commit_batch, finish_moves
from letterpress.lake.log_file import Lines, LogFile
from letterpress.lake.quarantine import QuarantineWriter, quarantine_path
from letterpress.lake.raw_columns import events_to_table
from letterpress.lake.raw_schema import ensure_anchors
from letterpress.lake.raw_store import Chunk, RawStage
from letterpress.log import log_step
from letterpress.settings import Home

BATCH_BYTES = 256 * 1024 * 1024
BATCH_FILES = 1000
CHUNK_BYTES = 64 * 1024 * 1024

_EVENT_NAME = dict(zip(EVENT_TYPES, EVENT_NAMES, strict=True))


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one ingest did: a report a file, and the (recommender, hour) partitions that changed."""

    files: list[FileReport] = field(default_factory=list)
    hours: list[tuple[str, str]] = field(default_factory=list)

    def total(self, count: str) -> int:
        """`read`, `raw`, `duplicate` or `quarantined` over all files."""
        return sum(int(getattr(file, count)) for file in self.files)


def ingest(home: Home, clock: Clock, *, threads: int, wait_seconds: float = 30.0) -> IngestReport:
    """Bring everything that waits in landing into raw.

    Raises:
        AlreadyRunningError: another ingest of this home runs.
        StorageError: the disk is full or a file is unreadable; landing is as it was.
    """
    report = IngestReport()
    try:
        with hold_ingest_lock(home, wait_seconds):
            finish_moves(home)
            ensure_anchors(home.raw)
            for paths in _batches(list_landing(home)):
                with log_step("ingest", files=len(paths)) as counts:
                    batch = _Batch(home, clock.now(), threads)
                    batch.run(paths)
                    report.files.extend(entry.report for entry in batch.entries)
                    report.hours.extend(sorted(batch.stage.hours))
                    counts.update(
                        {name: batch.total(name) for name in ("read", "raw", "duplicate", "quarantined")},
                        partitions=len(batch.stage.moves()),
                    )
    except OSError as error:
        raise _as_storage_error(error, home) from error
    return IngestReport(report.files, sorted(set(report.hours)))


def _as_storage_error(error: OSError, home: Home) -> StorageError:
    if error.errno == errno.ENOSPC or "No space left" in str(error):
        return StorageError(
            f"expected room on the disk of {home.root}, found it full. Nothing was lost: landing is as it "
            "was. Free some space and run ingest again."
        )
    return StorageError(
        f"expected to read landing and write raw, found: {error}. Nothing was lost: "
        "mend it and run ingest again."
    )


def _batches(paths: list[Path]) -> Iterator[list[Path]]:
    """Files in groups that are committed together."""
    group: list[Path] = []
    n_bytes = 0
    for path in paths:
        size = path.stat().st_size
        if group and (n_bytes + size > BATCH_BYTES or len(group) >= BATCH_FILES):
            yield group
            group, n_bytes = [], 0
        group.append(path)
        n_bytes += size
    if group:
        yield group


class _Batch:
    """Files that are committed together."""

    def __init__(self, home: Home, at: datetime, threads: int) -> None:
        self.home = home
        self.at = at
        self.stage = RawStage(home.raw, threads)
        self.entries: list[FileEntry] = []
        self._events: dict[type, list[Any]] = defaultdict(list)
        self._ends: dict[type, list[tuple[int, int]]] = defaultdict(list)
        self._held_bytes = 0
        self._duplicates: np.ndarray[Any, np.dtype[np.int64]] = np.zeros(0, np.int64)

    def total(self, name: str) -> int:
        return sum(int(getattr(entry.report, name)) for entry in self.entries)

    def run(self, paths: list[Path]) -> None:
        """Stage, commit, move. What fails before the commit leaves nothing behind."""
        try:
            moves = self._stage_files(paths)
        except OSError:
            self.stage.discard()
            raise
        commit_batch(self.home, self.entries, self.stage.hours, moves, self.at)
        finish_moves(self.home)

    def _stage_files(self, paths: list[Path]) -> list[tuple[Path, Path]]:
        """Stage everything that the files hold; returns the moves that will make it visible."""
        self._duplicates = np.zeros(len(paths), np.int64)
        read = [self._read(index, path) for index, path in enumerate(paths)]
        self._flush()
        moves = self.stage.moves()
        for index, (file, n_events, quarantine) in enumerate(read):
            self.entries.append(self._entry(file, n_events, int(self._duplicates[index]), quarantine))
            if quarantine.lines:
                moves.append(
                    (self._stage_quarantine(quarantine, file), quarantine_path(self.home, file.sha256))
                )
            moves.append((file.path, archive_path(self.home, file.path, file.sha256)))
        sync_paths(source for source, _ in moves)
        return moves

    def _read(self, index: int, path: Path) -> tuple[LogFile, int, QuarantineWriter]:
        file = LogFile(path)
        quarantine = QuarantineWriter(str(path.relative_to(self.home.landing)), self.at)
        n_events = 0
        for lines in file.lines():
            n_events += self._decode(lines, quarantine)
            if self._held_bytes > CHUNK_BYTES:
                self._end_file(index)
                self._flush()
        self._end_file(index)
        for number, beginning, length in file.too_long:
            reason = f"{REASONS['too_large']}: it has {length}; only its beginning is kept"
            quarantine.add(beginning, number, MalformedEventError("too_large", None, reason))
        if file.damage is not None:
            quarantine.add_damage(file.damage, file.rest, file.last_number)
        return file, n_events, quarantine

    def _decode(self, lines: Lines, quarantine: QuarantineWriter) -> int:
        """The hot loop. Returns how many lines were events."""
        buckets = self._events
        n_bytes = n_bad = 0
        for text, number in zip(lines.texts, lines.numbers, strict=True):
            n_bytes += len(text)
            event = read_line(text)
            if isinstance(event, MalformedEventError):
                n_bad += 1
                quarantine.add(text, number, event)
            else:
                buckets[type(event)].append(event)
        self._held_bytes += n_bytes
        return len(lines.texts) - n_bad

    def _end_file(self, index: int) -> None:
        for kind, events in self._events.items():
            self._ends[kind].append((index, len(events)))

    def _flush(self) -> None:
        """Stage the events that are held."""
        for kind, events in self._events.items():
            if not events:
                continue
            owners, ends = zip(*self._ends[kind], strict=True)
            files = np.repeat(np.array(owners, np.int64), np.diff(ends, prepend=0))
            name = _EVENT_NAME[kind]
            chunk = Chunk(
                event=name,
                rows=events_to_table(name, events, self.at),
                recommenders=pa.array([event.recommender for event in events], pa.string()),
                files=files,
            )
            duplicates = self.stage.add(chunk)
            self._duplicates[: len(duplicates)] += duplicates
        self._events.clear()
        self._ends.clear()
        self._held_bytes = 0

    def _entry(self, file: LogFile, n_events: int, duplicate: int, quarantine: QuarantineWriter) -> FileEntry:
        n_bad = len(quarantine.lines)
        report = FileReport(quarantine.file, n_events + n_bad, n_events - duplicate, duplicate, n_bad)
        return FileEntry(report, file.sha256, file.size, dict(quarantine.codes))

    def _stage_quarantine(self, quarantine: QuarantineWriter, file: LogFile) -> Path:
        staged = self.home.raw / ".staging" / f"quarantine-{file.sha256[:16]}.jsonl"
        with staged.open("wb") as stream:
            stream.writelines(line + b"\n" for line in quarantine.lines)
        return staged
