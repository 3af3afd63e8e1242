"""Writes raw partitions: staged first, merged with what is there, sorted; moved on commit."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from letterpress.errors import StorageError
from letterpress.lake.partition_file import HOUR_MICROSECONDS, write_hour
from letterpress.lake.partitions import format_hour
from letterpress.lake.raw_schema import conform_table, partition_path


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one event type that raw does not have yet."""

    event: str
    rows: pa.Table
    recommenders: pa.Array


class RawStage:
    """Partitions being rewritten by one batch. Nothing is visible in raw before the moves are done."""

    def __init__(self, raw: Path, threads: int) -> None:
        self._raw = raw
        self._folder = raw / ".staging"
        self._threads = threads
        self._staged: dict[Path, Path] = {}
        self.hours: set[tuple[str, str]] = set()
        """(recommender, hour) of every partition that changes."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)

    def discard(self) -> None:
        """Throw away what is staged. Never after the commit: then the moves are owed."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def moves(self) -> list[tuple[Path, Path]]:
        """(staged file, its place in raw)."""
        return [(staged, target) for target, staged in self._staged.items()]

    def add(self, chunk: Chunk) -> None:
        """Stage the rows of a chunk, which are new to raw."""
        occurred = pc.cast(chunk.rows["occurred_at"], pa.int64()).to_numpy()
        codes = chunk.recommenders.dictionary_encode()
        places = codes.indices.to_numpy().astype(np.int64) * 2**32 + occurred // HOUR_MICROSECONDS
        order = _sort(chunk.rows, occurred, places)
        rows, places = chunk.rows.take(pa.array(order)), places[order]
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        ends = np.append(starts[1:], len(places))
        names = codes.dictionary.to_pylist()

        def write(start: int, end: int) -> None:
            recommender = names[int(places[start] >> 32)]
            hour = _hour_name(int(places[start] & (2**32 - 1)))
            self._merge(chunk.event, recommender, hour, rows.slice(start, end - start))

        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(write, starts.tolist(), ends.tolist()))

    def _merge(self, event: str, recommender: str, hour: str, rows: pa.Table) -> None:
        """Stage one partition: what is there, and `rows`."""
        target = partition_path(self._raw, recommender, hour, event)
        existing = self._staged.get(target, target)
        if existing.exists():
            rows = pa.concat_tables([conform_table(event, _read(existing)), rows])
            rows = rows.sort_by([(name, "ascending") for name in ("occurred_at", "event_id", "tenant")])
        staged = self._folder / f"{event}-{recommender}-{hour}.parquet"
        write_hour(rows, staged)
        self._staged[target] = staged
        self.hours.add((recommender, hour))


def _hour_name(hours_since_epoch: int) -> str:
    return format_hour(datetime.fromtimestamp(hours_since_epoch * 3600, UTC))


def _sort(rows: pa.Table, occurred: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The order by (partition, occurred_at, event_id, tenant)."""
    order = np.lexsort((occurred, places))
    sorted_places, sorted_times = places[order], occurred[order]
    tied = (np.diff(sorted_places) == 0) & (np.diff(sorted_times) == 0)
    if not tied.any():
        return order
    table = pa.table({"place": places, "at": occurred, "id": rows["event_id"], "tenant": rows["tenant"]})
    keys = [(name, "ascending") for name in ("place", "at", "id", "tenant")]
    return np.asarray(pc.sort_indices(table, sort_keys=keys).to_numpy(), dtype=np.int64)


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
