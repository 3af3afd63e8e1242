"""Rows of one event type in the order in which raw keeps them, partition by partition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from letterpress.lake.partition_file import HOUR_MICROSECONDS
from letterpress.lake.partitions import format_hour

_BITS_OF_HOUR = 32


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one event type that raw does not have yet."""

    event: str
    rows: pa.Table
    recommenders: pa.Array


class Target(NamedTuple):
    """One partition of raw, of one event type."""

    event: str
    recommender: str
    hour: str


@dataclass(frozen=True, slots=True)
class SortedRows:
    """Rows by partition and sorted in each: `bounds[i]` to `bounds[i + 1]` are those of `targets[i]`."""

    targets: list[Target]
    bounds: list[int]
    rows: pa.Table

    def parts(self) -> Iterator[tuple[Target, pa.Table]]:
        """Every partition with its rows."""
        for target, (start, end) in zip(self.targets, pairwise(self.bounds), strict=True):
            yield target, self.rows.slice(start, end - start)


def sort_chunk(chunk: Chunk) -> SortedRows:
    """The rows of a chunk by (partition, occurred_at, event_id, tenant)."""
    occurred = pc.cast(chunk.rows["occurred_at"], pa.int64()).to_numpy()
    codes = chunk.recommenders.dictionary_encode()
    hours = occurred // HOUR_MICROSECONDS
    places = (codes.indices.to_numpy().astype(np.int64) << _BITS_OF_HOUR) + hours
    order = _order(chunk.rows, occurred, places)
    places = places[order]
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    names = codes.dictionary.to_pylist()
    targets = [
        Target(chunk.event, names[place >> _BITS_OF_HOUR], _hour_name(place & (2**_BITS_OF_HOUR - 1)))
        for place in places[starts].tolist()
    ]
    return SortedRows(targets, [*starts.tolist(), len(places)], chunk.rows.take(pa.array(order)))


def _hour_name(hours_since_epoch: int) -> str:
    return format_hour(datetime.fromtimestamp(hours_since_epoch * 3600, UTC))


def _order(rows: pa.Table, occurred: NDArray[np.int64], places: NDArray[np.int64]) -> NDArray[np.int64]:
    order = np.lexsort((occurred, places))
    sorted_places, sorted_times = places[order], occurred[order]
    tied = (np.diff(sorted_places) == 0) & (np.diff(sorted_times) == 0)
    if not tied.any():
        return order
    table = pa.table({"place": places, "at": occurred, "id": rows["event_id"], "tenant": rows["tenant"]})
    keys = [(name, "ascending") for name in ("place", "at", "id", "tenant")]
    return np.asarray(pc.sort_indices(table, sort_keys=keys).to_numpy(), dtype=np.int64)
