"""Writes raw partitions: staged first, merged with what is there, deduped and sorted; moved on commit."""

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
from letterpress.lake.partitions import format_hour
from letterpress.lake.raw_schema import conform_table, partition_path

_HOUR_MICROSECONDS = 3_600_000_000
_REPETITIVE = ["tenant", "slate_id", "item_id", "kind", "source_id", "slot", "policy", "action", "model"]
_KEY_SEPARATOR = "\x1f"  # no text of an event holds a control character, so a key cannot be forged


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one event type in the order in which they were read."""

    event: str
    rows: pa.Table
    recommenders: pa.Array
    files: NDArray[np.int64]
    """For every row, the index of the file that it came from."""


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

    def add(self, chunk: Chunk) -> NDArray[np.int64]:
        """Stage a chunk; returns for every file index up to the largest how many rows were duplicates."""
        occurred = pc.cast(chunk.rows["occurred_at"], pa.int64()).to_numpy()
        codes = chunk.recommenders.dictionary_encode()
        places = codes.indices.to_numpy().astype(np.int64) * 2**32 + occurred // _HOUR_MICROSECONDS
        order = _sort(chunk.rows, occurred, places)
        rows, places, files = chunk.rows.take(pa.array(order)), places[order], chunk.files[order]
        fresh = _first_of_each_key(rows, places, order)
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        ends = np.append(starts[1:], len(places))
        names = codes.dictionary.to_pylist()

        def write(start: int, end: int) -> NDArray[np.bool_]:
            recommender = names[int(places[start] >> 32)]
            hour = _hour_name(int(places[start] & (2**32 - 1)))
            return self._merge(
                chunk.event, recommender, hour, rows.slice(start, end - start), fresh[start:end]
            )

        with ThreadPoolExecutor(self._threads) as pool:
            kept = list(pool.map(write, starts.tolist(), ends.tolist()))
        duplicate = ~np.concatenate(kept) if kept else np.zeros(0, bool)
        return np.bincount(files[duplicate], minlength=int(files.max(initial=0)) + 1)

    def _merge(
        self, event: str, recommender: str, hour: str, rows: pa.Table, fresh: NDArray[np.bool_]
    ) -> NDArray[np.bool_]:
        """Stage one partition; returns which of `rows` are new to it."""
        target = partition_path(self._raw, recommender, hour, event)
        existing = self._staged.get(target, target)
        old = _read(existing) if existing.exists() else None
        if old is not None:
            known = pc.is_in(_keys(rows), value_set=_keys(old)).to_numpy(zero_copy_only=False)
            fresh = fresh & ~known
        if not fresh.any():
            return fresh
        merged = rows if fresh.all() else rows.filter(pa.array(fresh))
        if old is not None:
            merged = pa.concat_tables([conform_table(event, old), merged])
            merged = merged.sort_by([("occurred_at", "ascending"), ("event_id", "ascending")])
        staged = self._folder / f"{event}-{recommender}-{hour}.parquet"
        _write(merged, staged)
        self._staged[target] = staged
        self.hours.add((recommender, hour))
        return fresh


def _hour_name(hours_since_epoch: int) -> str:
    return format_hour(datetime.fromtimestamp(hours_since_epoch * 3600, UTC))


def _keys(rows: pa.Table) -> pa.Array:
    """What makes an event the same event: its tenant and its id. Ids of two tenants may well be equal."""
    joined = pc.binary_join_element_wise(rows["tenant"], rows["event_id"], _KEY_SEPARATOR)
    return joined.combine_chunks() if isinstance(joined, pa.ChunkedArray) else joined


def _sort(rows: pa.Table, occurred: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The stable order by (partition, occurred_at, event_id)."""
    order = np.lexsort((occurred, places))
    sorted_places, sorted_times = places[order], occurred[order]
    tied = (np.diff(sorted_places) == 0) & (np.diff(sorted_times) == 0)
    if not tied.any():
        return order
    table = pa.table({"place": places, "at": occurred, "id": rows["event_id"], "row": np.arange(len(places))})
    keys = [(name, "ascending") for name in ("place", "at", "id", "row")]
    return np.asarray(pc.sort_indices(table, sort_keys=keys).to_numpy(), dtype=np.int64)


def _first_of_each_key(
    rows: pa.Table, places: NDArray[np.int64], order: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which rows are the first read of their key within their partition. `order` is the reading order."""
    codes = _keys(rows).dictionary_encode()
    n_rows = len(rows)
    if len(codes.dictionary) == n_rows:
        return np.ones(n_rows, bool)
    by_key = np.lexsort((order, codes.indices.to_numpy(), places))
    keys, where = codes.indices.to_numpy()[by_key], places[by_key]
    first = np.ones(n_rows, bool)
    first[1:] = (np.diff(keys) != 0) | (np.diff(where) != 0)
    fresh = np.empty(n_rows, bool)
    fresh[by_key] = first
    return fresh


def _read(path: Path) -> pa.Table:
    """Raises StorageError when the file is damaged."""
    try:
        return pq.ParquetFile(path).read()
    except pa.ArrowInvalid as error:
        raise StorageError(
            f"expected a Parquet file at {path}, found it damaged ({error}). Restore it from a backup, or "
            "move it away and import its logs again from landing/archive."
        ) from error


def _write(rows: pa.Table, path: Path) -> None:
    """Snappy: an hour's file is small, and setting up zstd for each of its columns doubled the time."""
    pq.write_table(rows, str(path), compression="snappy", use_dictionary=_REPETITIVE)


def iter_partitions(raw: Path) -> Iterator[Path]:
    """Every partition file in raw, sorted; the anchors are among them."""
    yield from sorted(raw.glob("recommender=*/hour=*/*.parquet"))
