"""Takes rows, or identifiers in rows, out of raw: the files that hold them are written again and swapped in.

Everything is staged first. One commit in the ledger records the new checksums, the hours whose rows went and
what happened, together with the renames still owed; killed before it nothing has changed, killed after it the
next run does the renames. The caller holds the ingest lock.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from letterpress.lake.durability import sync_paths
from letterpress.lake.ledger import adjust_rows, finish_moves, insert_moves, open_ledger
from letterpress.lake.masking import EXTRA
from letterpress.lake.parquet_file import read_rows, read_texts
from letterpress.lake.partition_file import hours_of_rows, write_partition
from letterpress.lake.partitions import format_hour
from letterpress.lake.raw_schema import ANCHOR_RECOMMENDER
from letterpress.lake.removed_hours import record_removed
from letterpress.lake.stored_files import (
    describe_moves,
    drop_records,
    hash_stored,
    record_files,
    recorded_files,
)
from letterpress.settings import Home

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Change:
    """What shall happen to the rows of one file: `(n_rows,)` masks.

    `unlink` by the column to set null, `overwrite` by the column that `write` writes anew in these rows.
    """

    remove: Mask
    unlink: Mapping[str, Mask] = field(default_factory=dict)
    overwrite: Mapping[str, Mask] = field(default_factory=dict)
    write: Callable[[str, pa.ChunkedArray, Mask], pa.Array] | None = None

    @property
    def is_nothing(self) -> bool:
        return not any(mask.any() for mask in (self.remove, *self.unlink.values(), *self.overwrite.values()))

    @property
    def changed(self) -> Mask:
        """Rows that marts may show; not those that only lose an identifier or a text of `extra`."""
        built_on = [mask for name, mask in self.overwrite.items() if name != EXTRA]
        return np.asarray(np.logical_or.reduce([self.remove, *built_on]), bool)


Rule = Callable[[str, pa.Table], Change]
"""From an event type and the looked-at columns of its rows to what shall happen to them."""


@dataclass(frozen=True, slots=True)
class RewrittenFile:
    """One file of raw or quarantine that was written again, with what left it."""

    path: str
    removed: int
    unlinked: int
    sha256_before: str
    sha256_after: str
    overwritten: int = 0
    """Rows in which texts were overwritten."""
    columns: tuple[str, ...] = ()
    """Those that the texts were in."""


@dataclass(slots=True)
class Rewrite:
    """A rewrite that is staged and not yet committed."""

    files: list[RewrittenFile] = field(default_factory=list)
    moves: list[tuple[Path, Path]] = field(default_factory=list)
    hours: set[tuple[str, str]] = field(default_factory=set)
    """(recommender, hour) whose rows changed. Unlinking changes no count; the pace of a session, which a
    build of all history can no longer tell then, stays as increments wrote it (ADR 0035).
    """
    emptied: set[tuple[str, str]] = field(default_factory=set)
    """Those of `hours` that lost rows."""
    looked_at: int = 0

    @property
    def removed(self) -> int:
        return sum(each.removed for each in self.files)

    @property
    def unlinked(self) -> int:
        return sum(each.unlinked for each in self.files)


def raw_files(home: Home) -> Iterator[Path]:
    """Every file of events in raw, sorted; not the empty anchors and nothing that is staged."""
    anchors = home.raw / f"recommender={ANCHOR_RECOMMENDER}"
    for path in sorted(home.raw.glob("recommender=*/**/*.parquet")):
        if anchors not in path.parents:
            yield path


def staging_folder(home: Home) -> Path:
    """An empty folder for what is about to be committed; ingest uses and empties the same one."""
    folder = home.raw / ".staging"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def stage_rewrite(home: Home, columns: Iterable[str] | None, rule: Rule, *, dry_run: bool = False) -> Rewrite:
    """Apply `rule` to every raw file, looking at `columns` only, or at all texts; writes aside what changes.

    With `dry_run` nothing is written, and the files' checksums after are empty.

    Raises:
        StorageError: a file is damaged.
    """
    found = Rewrite()
    folder = None if dry_run else staging_folder(home)
    for path in raw_files(home):
        found.looked_at += 1
        change = _judge(path, None if columns is None else tuple(columns), rule)
        if change is not None and not change.is_nothing:
            _stage_file(home, path, change, found, folder)
    return found


def _judge(path: Path, columns: tuple[str, ...] | None, rule: Rule) -> Change | None:
    rows = read_texts(path) if columns is None else read_rows(path, columns)
    return rule(path.stem, rows) if len(rows) else None


def _stage_file(home: Home, path: Path, change: Change, found: Rewrite, folder: Path | None) -> None:
    unlinked = _any_of(change.unlink) & ~change.remove if change.unlink else np.zeros(0, bool)
    overwritten = _any_of(change.overwrite) & ~change.remove if change.overwrite else np.zeros(0, bool)
    if change.changed.any():
        found.hours |= _hours(path, change.changed)
        found.emptied |= _hours(path, change.remove)
    before, after = hash_stored(path), ""
    if folder is not None:
        staged = folder / f"rewrite-{len(found.moves):06d}.parquet"
        _write_changed(path, change, staged)
        after = hash_stored(staged)
        found.moves.append((staged, path))
    found.files.append(
        RewrittenFile(
            str(path.relative_to(home.root)),
            int(change.remove.sum()),
            int(unlinked.sum()),
            before,
            after,
            int(overwritten.sum()),
            tuple(sorted(change.overwrite)),
        )
    )


def _any_of(masks: Mapping[str, Mask]) -> Mask:
    return np.asarray(np.logical_or.reduce(list(masks.values())), bool)


def _hours(path: Path, changed: Mask) -> set[tuple[str, str]]:
    rows = read_rows(path, ["occurred_at"])
    recommender = next(part for part in reversed(path.parts) if part.startswith("recommender="))
    return {
        (recommender.removeprefix("recommender="), format_hour(datetime.fromtimestamp(int(hour) * 3600, UTC)))
        for hour in np.unique(hours_of_rows(rows)[changed])
    }


def _write_changed(path: Path, change: Change, staged: Path) -> None:
    """What stays of the file; one that nothing stays of becomes a file without rows, so that it is found."""
    rows = read_rows(path)
    for name, mask in change.overwrite.items():
        place, write = rows.schema.get_field_index(name), change.write
        if write is not None:
            rows = rows.set_column(place, rows.schema.field(place), write(name, rows[name], mask))
    for name, mask in change.unlink.items():
        place = rows.schema.get_field_index(name)
        emptied = pc.if_else(pa.array(mask), pa.scalar(None, rows.schema.field(place).type), rows[name])
        rows = rows.set_column(place, rows.schema.field(place), emptied)
    kept = rows.filter(pa.array(~change.remove))
    write_partition(kept, staged, path)


def commit_rewrite(home: Home, staged: Rewrite, note: Callable[[sqlite3.Connection], None]) -> None:
    """Record what is staged, with whatever `note` writes into the ledger, and put it in place.

    The hours that rows were removed from wait to be announced like late ones, and the next build writes all
    of history.
    """
    sync_paths([*(source for source, _ in staged.moves), *{source.parent for source, _ in staged.moves}])
    written = describe_moves(home, staged.moves)
    with open_ledger(home) as ledger:
        (batch,) = ledger.execute("select coalesce(max(batch), 0) from files").fetchone()
        record_files(ledger, written, batch)
        for place in ("raw", "quarantine"):
            removed = sum(each.removed for each in staged.files if each.path.startswith(f"{place}/"))
            adjust_rows(ledger, place, -removed, "removed by a rewrite")
        ledger.executemany(
            "insert into hours (recommender, hour, batch) values (?, ?, ?) "
            "on conflict do update set batch = excluded.batch, announced = 0",
            [(recommender, hour, batch) for recommender, hour in sorted(staged.hours)],
        )
        record_removed(ledger, staged.emptied)
        insert_moves(ledger, home, staged.moves)
        note(ledger)
    finish_moves(home)
    drop_empty_files(home)


def drop_empty_files(home: Home) -> None:
    """Delete the files that a rewrite left without rows, and the folders that are empty then. Repeatable."""
    with open_ledger(home) as ledger:
        empty = [path for path, each in recorded_files(ledger).items() if each.rows == 0]
        for path in empty:
            (home.root / path).unlink(missing_ok=True)
            for folder in (home.root / path).parents[:2]:
                with contextlib.suppress(OSError):  # something else is in it
                    folder.rmdir()
        drop_records(ledger, empty)
