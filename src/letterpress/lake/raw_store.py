"""Writes raw partitions: staged first, merged with what is there, sorted; moved on commit."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from letterpress.errors import StorageError
from letterpress.lake.partition_file import write_hour
from letterpress.lake.raw_schema import conform_table, partition_path
from letterpress.lake.sorted_rows import Chunk, SortedRows, Target, sort_chunk
from letterpress.lake.spill_file import SpilledPart, SpillFile


class RawStage:
    """Partitions being rewritten by one batch. Nothing is visible in raw before the moves are done.

    What is added is held, or waits in a file, so that each partition is written once, at the end.
    """

    def __init__(self, raw: Path, threads: int) -> None:
        self._raw = raw
        self._folder = raw / ".staging"
        self._threads = threads
        self._held: list[SortedRows] = []
        self._parts: dict[Target, list[SpilledPart | pa.Table]] = defaultdict(list)
        self.received: dict[tuple[str, str], datetime] = {}
        """When the first of the rows that a (recommender, hour) gains was received."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self._spilled = SpillFile(self._folder)

    @property
    def hours(self) -> set[tuple[str, str]]:
        """(recommender, hour) of every partition that changes."""
        return {(target.recommender, target.hour) for target in self._parts}

    @property
    def n_partitions(self) -> int:
        """How many partitions change, each event type counted."""
        return len(self._parts)

    def discard(self) -> None:
        """Throw away what is staged. Never after the commit: then the moves are owed."""
        self._spilled.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def add(self, chunk: Chunk) -> None:
        """Stage the rows of a chunk, which are new to raw."""
        self._held.append(sort_chunk(chunk))

    def spill(self) -> None:
        """Put what is held on the disk until the end: a batch need not fit into memory."""
        for held in self._held:
            for target, rows in held.parts():
                self._note_received(target, rows)
                self._parts[target].append(self._spilled.write(rows))
        self._held.clear()

    def finish(self) -> list[tuple[Path, Path]]:
        """Write every partition that changes; (staged file, its place in raw)."""
        for held in self._held:
            for target, rows in held.parts():
                self._note_received(target, rows)
                self._parts[target].append(rows)
        with ThreadPoolExecutor(self._threads) as pool:
            moves = list(pool.map(self._write, self._parts))
        self._held.clear()
        self._spilled.close()
        return moves

    def _note_received(self, target: Target, rows: pa.Table) -> None:
        place = (target.recommender, target.hour)
        first: datetime = pc.min(rows["received_at"]).as_py()
        self.received[place] = min(first, self.received.get(place, first))

    def _write(self, target: Target) -> tuple[Path, Path]:
        """Stage one partition: what is there, and what was added."""
        event, recommender, hour = target
        place = partition_path(self._raw, recommender, hour, event)
        parts = self._parts[target]
        tables = [self._spilled.read(each) if isinstance(each, SpilledPart) else each for each in parts]
        if place.exists():
            tables.insert(0, conform_table(event, _read(place)))
        rows = pa.concat_tables(tables)
        if len(tables) > 1:
            rows = rows.sort_by([(name, "ascending") for name in ("occurred_at", "event_id", "tenant")])
        staged = self._folder / f"{event}-{recommender}-{hour}.parquet"
        write_hour(rows, staged)
        return staged, place


def _read(path: Path) -> pa.Table:
    """Raises StorageError when the file is damaged."""
    try:
        return pq.ParquetFile(path).read()
    except pa.ArrowInvalid as error:
        raise StorageError(
            f"expected a Parquet file at {path}, found it damaged ({error}). Restore it from a backup, or "
            "move it away, run `letterpress lake --reindex` and import its logs again."
        ) from error


def iter_partitions(raw: Path) -> Iterator[Path]:
    """Every partition file in raw, sorted; the anchors are among them."""
    yield from sorted(raw.glob("recommender=*/hour=*/*.parquet"))
