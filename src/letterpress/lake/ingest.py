"""Landing to raw: every line ends in raw, as a duplicate, or in quarantine, and the ledger says which.

A batch of files is staged, then committed in the ledger together with the renames and deletions that it
still owes, then these are done. Killed before the commit, nothing has changed; killed after it, the next
run does what is owed.
"""

from __future__ import annotations

import errno
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from letterpress.clock import Clock
from letterpress.errors import DamagedCopyError, StorageError
from letterpress.events.codec import REASONS, MalformedEventError
from letterpress.lake.decode_workers import Decoders, start_decoders
from letterpress.lake.decoding import DecodedBlock, DecodedRows
from letterpress.lake.durability import sync_paths
from letterpress.lake.identity_store import identity_folder, open_identity
from letterpress.lake.ingest_lock import hold_ingest_lock
from letterpress.lake.landing import SEALED, checksum, list_landing, log_name, open_landed, reported_name
from letterpress.lake.ledger import (
    FileEntry,
    FileReport,
    commit_batch,
    finish_moves,
    lines_of_known_file,
)
from letterpress.lake.log_file import Lines, LogFile
from letterpress.lake.masking import Findings
from letterpress.lake.quarantine import QuarantineWriter, quarantine_path
from letterpress.lake.raw_schema import ensure_anchors
from letterpress.lake.raw_store import RawStage
from letterpress.lake.sorted_rows import Chunk
from letterpress.lake.stored_files import hash_stored
from letterpress.lake.tenant_keys import TenantKeys
from letterpress.log import log_step, logger
from letterpress.settings import Home

BATCH_BYTES = 256 * 1024 * 1024
BATCH_FILES = 1000
CHUNK_BYTES = 64 * 1024 * 1024
PARALLEL_BYTES = 4 * 1024 * 1024
"""Below that in landing, compressed or not, one process does it all."""
_NEEDED = ["tenant", "occurred_at"]


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one ingest did: a report a file, and the (recommender, hour) partitions that changed."""

    files: list[FileReport] = field(default_factory=list)
    hours: list[tuple[str, str]] = field(default_factory=list)
    masked: Findings = field(default_factory=Counter)
    """What personal data was found and masked on the way."""

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
            batches = list(_batches(list_landing(home)))
            with start_decoders(_count_workers(batches, threads), home.keys) as decoders:
                for paths in batches:
                    _ingest_batch(home, clock.now(), threads, decoders, paths, report)
    except OSError as error:
        raise _as_storage_error(error, home) from error
    return IngestReport(report.files, sorted(set(report.hours)), report.masked)


def _count_workers(batches: list[list[Path]], threads: int) -> int:
    """None for little work: a process needs half a second to start."""
    n_bytes = sum(path.stat().st_size for paths in batches for path in paths)
    return threads if threads > 1 and n_bytes >= PARALLEL_BYTES else 0


def _ingest_batch(
    home: Home, at: datetime, threads: int, decoders: Decoders, paths: list[Path], report: IngestReport
) -> None:
    with log_step("ingest", files=len(paths)) as counts:
        batch = _Batch(home, at, threads, decoders)
        batch.run(paths)
        report.files.extend(entry.report for entry in batch.entries)
        report.hours.extend(sorted(batch.stage.hours))
        report.masked.update(batch.masked)
        counts.update(
            {name: batch.total(name) for name in ("read", "raw", "duplicate", "quarantined")},
            partitions=batch.stage.n_partitions,
            masked=batch.masked.total(),
        )


def _as_storage_error(error: OSError, home: Home) -> StorageError:
    if error.errno == errno.ENOSPC or "No space left" in str(error):
        return StorageError(
            f"expected room on the disk of {home.root}, found it full. Nothing was lost: landing is as it "
            "was. Free some space and run ingest again."
        )
    return StorageError(
        f"expected to read landing and write raw, found: {error.strerror or error.errno}. Nothing was lost: "
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


@dataclass
class _File:
    """One file of a batch, and what became of its lines so far."""

    landed: str
    log: LogFile
    quarantine: QuarantineWriter
    n_events: int = 0
    n_new: int = 0

    def finish(self) -> None:
        """Put aside what only the end of the file tells."""
        for number, beginning, length in self.log.too_long:
            reason = f"{REASONS['too_large']}: it has {length}; only its beginning is kept"
            self.quarantine.add(beginning, number, MalformedEventError("too_large", None, reason))
        if self.log.damage is not None:
            self.quarantine.add_damage(self.log.damage, self.log.rest, self.log.last_number)

    def entry(self) -> FileEntry:
        n_bad = len(self.quarantine.lines)
        duplicate = self.n_events - self.n_new
        n_read, codes = self.n_events + n_bad, dict(self.quarantine.codes)
        report = FileReport(self.quarantine.file, n_read, self.n_new, duplicate, n_bad, codes)
        return FileEntry(report, self.log.sha256, self.log.size, landed=self.landed)

    def copy_entry(self, name: str, landed: str) -> FileEntry:
        """The entry of another file of the same batch with the very same bytes."""
        n_lines = self.entry().report.read
        report = FileReport(name, n_lines, 0, n_lines, 0)
        return FileEntry(report, self.log.sha256, self.log.size, landed=landed)


class _Batch:
    """Files that are committed together."""

    def __init__(self, home: Home, at: datetime, threads: int, decoders: Decoders) -> None:
        self.home = home
        self.at = at
        self.stage = RawStage(home.raw, threads)
        self.entries: list[FileEntry] = []
        self._decoders = decoders
        self._identity = open_identity(home)
        self._damaged: list[tuple[Path, Path]] = []
        self._copies: list[tuple[str, str, _File]] = []
        self._keys = TenantKeys(home.keys)
        self.masked: Findings = Counter()
        self._latest: dict[str, datetime] = {}
        self._held: list[tuple[_File, DecodedRows]] = []
        self._held_bytes = 0

    def total(self, name: str) -> int:
        return sum(int(getattr(entry.report, name)) for entry in self.entries)

    def run(self, paths: list[Path]) -> None:
        """Stage, commit, move. What fails before the commit leaves nothing behind."""
        try:
            moves = self._stage_files(paths)
            identity = self._identity.stage()
            sync_paths(identity_folder(self.home) / file.name for file in identity.added)
            if identity.added:
                sync_paths([identity_folder(self.home)])
        except (OSError, StorageError):
            self.stage.discard()
            raise
        commit_batch(
            self.home,
            self.entries,
            self.stage.received,
            moves,
            self.at,
            identity=identity,
            latest=self._latest,
            masked=self.masked,
        )
        finish_moves(self.home)

    def _stage_files(self, paths: list[Path]) -> list[tuple[Path, Path]]:
        """Stage everything that the files hold; returns the moves that will make it visible."""
        files = self._open_unknown(paths)
        for index, block in self._decoders.decode(_read_blocks(files), self.at):
            self._take(files[index], block)
        self._flush()
        moves = self.stage.finish() + self._damaged
        for file in files:
            file.finish()
            self.entries.append(file.entry())
            if file.quarantine.lines:
                staged = self._stage_quarantine(file.quarantine, file.log.sha256)
                moves.append((staged, quarantine_path(self.home, file.log.sha256)))
        self.entries += [first.copy_entry(name, landed) for name, landed, first in self._copies]
        self.entries.sort(key=lambda entry: entry.report.path)
        sync_paths([*(source for source, _ in moves), *{source.parent for source, _ in moves}])
        return moves

    def _open_unknown(self, paths: list[Path]) -> list[_File]:
        """The files to read. One whose very bytes were read before is entered as duplicates, unread."""
        files: dict[str, _File] = {}
        for path in paths:
            landed = str(path.relative_to(self.home.landing))
            name = reported_name(landed, self._keys)
            try:
                sha256 = checksum(self.home, path)
            except DamagedCopyError:
                self._put_aside(path, name)
                continue
            n_lines = lines_of_known_file(self.home, sha256)
            if n_lines is not None:
                report = FileReport(name, n_lines, 0, n_lines, 0)
                self.entries.append(FileEntry(report, sha256, path.stat().st_size, landed=landed))
            elif sha256 in files:
                self._copies.append((name, landed, files[sha256]))
            else:
                log = LogFile(path, name=log_name(path.name), opened=partial(open_landed, self.home))
                files[sha256] = _File(landed, log, QuarantineWriter(name, self.at, self._keys))
        return list(files.values())

    def _put_aside(self, path: Path, name: str) -> None:
        """Keep a copy that nobody can read as one line of quarantine, and the copy beside it."""
        sha256 = hash_stored(path)
        aside = quarantine_path(self.home, sha256).with_suffix(SEALED)
        if any(target == aside for _, target in self._damaged):
            return  # its very bytes are put aside already; it goes with the next ingest
        writer = QuarantineWriter(name, self.at, self._keys)
        writer.add(b"", 1, MalformedEventError("damaged_copy", None, REASONS["damaged_copy"]))
        report = FileReport(name, 1, 0, 0, 1, dict(writer.codes))
        self.entries.append(FileEntry(report, sha256, path.stat().st_size))
        self._damaged += [
            (path, aside),
            (self._stage_quarantine(writer, sha256), quarantine_path(self.home, sha256)),
        ]
        logger.warning("ingest put_aside file=%s to=%s", name, aside.relative_to(self.home.root))

    def _take(self, file: _File, block: DecodedBlock) -> None:
        """Hold the events of a block, and put its bad lines aside."""
        file.n_events += block.n_lines - len(block.bad)
        self.masked.update(block.masked)
        for bad in block.bad:
            file.quarantine.add(bad.text, bad.number, bad.problem())
        for each in block.rows:
            self._held.append((file, each))
            self._held_bytes += each.rows.nbytes
        if self._held_bytes > CHUNK_BYTES:
            self._flush()
            self.stage.spill()

    def _flush(self) -> None:
        """Stage those of the held events that raw does not have; the first of several with one key."""
        if not self._held:
            return
        fresh = self._identity.admit(np.concatenate([each.keys for _, each in self._held]))
        kept: dict[str, list[DecodedRows]] = defaultdict(list)
        place = 0
        for file, each in self._held:
            is_new = fresh[place : place + len(each.keys)]
            place += len(each.keys)
            n_new = int(np.count_nonzero(is_new))
            file.n_new += n_new
            if n_new:
                kept[each.event].append(each if n_new == len(is_new) else each.filter(is_new))
        self._note_latest(pa.concat_tables([each.rows.select(_NEEDED) for _, each in self._held]))
        self._held.clear()
        self._held_bytes = 0
        for event, pieces in kept.items():
            rows = pa.concat_tables([each.rows for each in pieces])
            self.stage.add(Chunk(event, rows, pa.concat_arrays([each.recommenders for each in pieces])))

    def _note_latest(self, rows: pa.Table) -> None:
        latest = rows.group_by("tenant").aggregate([("occurred_at", "max")])
        moments = latest["occurred_at_max"].to_pylist()
        for tenant, last in zip(latest["tenant"].to_pylist(), moments, strict=True):
            moment = min(last, self.at)
            self._latest[tenant] = max(moment, self._latest.get(tenant, moment))

    def _stage_quarantine(self, quarantine: QuarantineWriter, sha256: str) -> Path:
        staged = self.home.raw / ".staging" / f"quarantine-{sha256[:16]}.jsonl"
        with staged.open("wb") as stream:
            stream.writelines(line + b"\n" for line in quarantine.lines)
        return staged


def _read_blocks(files: list[_File]) -> Iterator[tuple[int, Lines]]:
    """The blocks of all files, with the place of their file."""
    for index, file in enumerate(files):
        for lines in file.log.lines():
            yield index, lines
