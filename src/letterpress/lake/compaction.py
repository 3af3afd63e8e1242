"""Compaction: the hour files of a day become one day file for each event type of a recommender (ADR 0021).

The rows stay what they were, so no hour is announced. A day at a time is staged; one commit in the ledger
records the day files and the renames and deletions that are owed. Killed before it, nothing has changed;
killed after it, the next run does what is owed.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, groupby
from operator import itemgetter
from pathlib import Path

import pyarrow as pa

from letterpress.errors import StorageError
from letterpress.lake.durability import sync_paths
from letterpress.lake.ingest_lock import hold_ingest_lock
from letterpress.lake.ledger import finish_moves, insert_moves, last_batch, open_ledger
from letterpress.lake.parquet_file import count_rows
from letterpress.lake.partition_file import iter_hours, name_of_partition, write_day
from letterpress.lake.partitions import is_day, parse_hour
from letterpress.lake.raw_readers import swapping_raw
from letterpress.lake.raw_schema import partition_path
from letterpress.lake.rewrite import raw_files, staging_folder
from letterpress.lake.stored_files import (
    StoredFile,
    describe_moves,
    drop_records,
    hash_stored,
    record_files,
    recorded_files,
)
from letterpress.log import log_step
from letterpress.settings import Home

_NEXT_STEP = (
    "This day was not compacted. Run `letterpress lake --verify`, mend what it names, and run this again."
)
_ORDER = [(name, "ascending") for name in ("tenant", "occurred_at", "event_id")]

Day = Mapping[Path, Sequence[Path]]
"""Of one day: the place of each day file, and the files that become it, the day file of before first."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """What one run did: days, files and bytes before and after of what it replaced; rows stay."""

    days: list[str]
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    rows: int


def compact(home: Home, days: int, *, wait_seconds: float = 30.0) -> Compacted:
    """Compact every day that ended `days` days or more before the last event of any tenant.

    Events that come later still get hour files beside the day file; the next run takes them in.

    Raises:
        AlreadyRunningError: an ingest, another of these, a build or a gate still runs after `wait_seconds`.
        StorageError: a file is not as it was recorded. That day and later ones stay as they were.
    """
    done = Compacted([], 0, 0, 0, 0, 0)
    with hold_ingest_lock(home, wait_seconds):
        finish_moves(home)
        latest, recorded = _read_ledger(home)
        if latest is None:
            return done
        for name, day in sorted(_days_before(home, latest - timedelta(days=days)).items()):
            with log_step("compact", partition=name) as counts:
                made = _compact_day(home, name, day, recorded, wait_seconds)
                counts.update(files=made.files_before, rows=made.rows)
            done = _add(done, made)
    return done


def _read_ledger(home: Home) -> tuple[datetime | None, dict[str, StoredFile]]:
    """When the last event occurred, and what is recorded of the files."""
    with open_ledger(home) as ledger:
        (latest,) = ledger.execute("select max(latest_at) from tenants").fetchone()
        return None if latest is None else datetime.fromisoformat(latest), recorded_files(ledger)


def _days_before(home: Home, limit: datetime) -> dict[str, Day]:
    """By their names the days that are over at `limit` and have an hour file."""
    found: dict[str, dict[Path, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for path in raw_files(home):
        hour = name_of_partition(path)
        if is_day(hour):
            continue
        day, _, _ = hour.partition("T")
        if parse_hour(f"{day}T00") + timedelta(days=1) <= limit:
            recommender = path.parent.parent.name.removeprefix("recommender=")
            found[day][partition_path(home.raw, recommender, day, path.stem)].append(path)
    return {
        name: {target: [*([target] if target.exists() else []), *hours] for target, hours in day.items()}
        for name, day in found.items()
    }


def _compact_day(
    home: Home, name: str, day: Day, recorded: Mapping[str, StoredFile], wait_seconds: float
) -> Compacted:
    folder = staging_folder(home)
    moves: list[tuple[Path, Path]] = []
    for target, files in day.items():
        _require_unchanged(home, files, recorded)
        staged = folder / f"day-{len(moves):06d}.parquet"
        _write(target, files, staged)
        moves.append((staged, target))
    sync_paths([*(staged for staged, _ in moves), folder])
    replaced = [path for target, files in day.items() for path in files if path != target]
    before = [recorded[str(path.relative_to(home.root))] for files in day.values() for path in files]
    with swapping_raw(home, wait_seconds):
        after = _commit(home, moves, replaced)
        finish_moves(home)
    return Compacted(
        [name],
        len(before),
        len(after),
        sum(each.n_bytes for each in before),
        sum(each.n_bytes for each in after),
        sum(each.rows or 0 for each in after),
    )


def _require_unchanged(home: Home, files: Sequence[Path], recorded: Mapping[str, StoredFile]) -> None:
    """Or damage would be written into the day file, under a checksum of its own."""
    for path in files:
        record = recorded.get(str(path.relative_to(home.root)))
        if record is None or hash_stored(path) != record.sha256:
            found = "none is recorded" if record is None else "another"
            raise StorageError(f"expected {path} to have its recorded checksum, found {found}. {_NEXT_STEP}")


def _write(target: Path, files: Sequence[Path], staged: Path) -> None:
    expected = sum(count_rows(path) for path in files)
    found = write_day(target.stem, _merged_hours(target, files), staged)
    if found != expected:
        raise StorageError(f"expected {expected} rows for {target}, found {found} written. {_NEXT_STEP}")


def _merged_hours(target: Path, files: Sequence[Path]) -> Iterator[pa.Table]:
    """The rows of each hour by tenant and time; no more than an hour of each kind of file is in memory."""
    kinds = ([path for path in files if (path == target) is is_target] for is_target in (True, False))
    streams = [chain.from_iterable(iter_hours(path) for path in kind) for kind in kinds]
    for _, parts in groupby(heapq.merge(*streams, key=itemgetter(0)), key=itemgetter(0)):
        yield pa.concat_tables([rows for _, rows in parts]).sort_by(_ORDER)


def _commit(home: Home, moves: Sequence[tuple[Path, Path]], replaced: Sequence[Path]) -> list[StoredFile]:
    """Record the day files instead of those whose rows they hold, and what is owed."""
    written = describe_moves(home, moves)
    gone = [str(path.relative_to(home.root)) for path in replaced]
    batch = last_batch(home)
    with open_ledger(home) as ledger:
        record_files(ledger, written, batch)
        drop_records(ledger, gone)
        insert_moves(ledger, home, moves)
        ledger.executemany("insert into replaced values (?)", [(path,) for path in gone])
    return written


def _add(one: Compacted, other: Compacted) -> Compacted:
    return Compacted(
        [*one.days, *other.days],
        one.files_before + other.files_before,
        one.files_after + other.files_after,
        one.bytes_before + other.bytes_before,
        one.bytes_after + other.bytes_after,
        one.rows + other.rows,
    )
