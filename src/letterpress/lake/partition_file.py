"""How the Parquet files of raw are written and read: one an hour while events come in, one a day later."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from letterpress.lake.parquet_file import opened_parquet
from letterpress.lake.partitions import is_day
from letterpress.lake.raw_schema import RAW_SCHEMAS, conform_table

HOUR_MICROSECONDS = 3_600_000_000
LEAST_ROWS_OF_GROUP = 32_768
"""A row group of a day file has so many rows or more, unless the day has fewer."""
_REPETITIVE = ["tenant", "slate_id", "item_id", "kind", "source_id", "slot", "policy", "action", "model"]


def write_partition(rows: pa.Table, path: Path, target: Path) -> None:
    """Write sorted `rows` to `path` the way `target`, the file whose place it will take, is written."""
    if is_day(name_of_partition(target)):
        write_day(target.stem, [conform_table(target.stem, rows)], path)
    else:
        write_hour(rows, path)


def write_hour(rows: pa.Table, path: Path) -> None:
    """Snappy: an hour's file is small, and setting up zstd for each of its columns doubled the time."""
    pq.write_table(rows, str(path), compression="snappy", use_dictionary=_REPETITIVE)


def write_day(event: str, hours: Iterable[pa.Table], path: Path) -> int:
    """Write the rows of `hours` one after the other; returns how many.

    Row groups end where hours end, as far as their least size allows, and halves of a large hour are its
    first and its last tenants: so statistics tell a reader which groups it need not read.
    """
    written = 0
    held: list[pa.Table] = []
    with pq.ParquetWriter(
        str(path), RAW_SCHEMAS[event], compression="zstd", use_dictionary=_REPETITIVE
    ) as writer:
        for rows in hours:
            held.append(rows)
            if sum(map(len, held)) >= LEAST_ROWS_OF_GROUP:
                written += _write_groups(writer, held)
                held.clear()
        return written + _write_groups(writer, held)


def _write_groups(writer: pq.ParquetWriter, held: list[pa.Table]) -> int:
    """Row groups of equal size."""
    n_rows = sum(map(len, held))
    if n_rows:
        groups = max(1, n_rows // LEAST_ROWS_OF_GROUP)
        writer.write_table(pa.concat_tables(held), row_group_size=math.ceil(n_rows / groups))
    return n_rows


def iter_hours(path: Path) -> Iterator[tuple[int, pa.Table]]:
    """The rows of a file by hour, in their order: (hours since 1970, rows). Reads a row group at a time.

    Raises:
        StorageError: the file is damaged.
    """
    held = RAW_SCHEMAS[path.stem].empty_table()
    with opened_parquet(path) as file:
        for group in range(file.num_row_groups):
            held = pa.concat_tables([held, conform_table(path.stem, file.read_row_group(group))])
            hours = hours_of_rows(held)
            starts = np.flatnonzero(np.diff(hours, prepend=-1)).tolist()
            for start, end in pairwise(starts):
                yield int(hours[start]), held.slice(start, end - start)
            held = held.slice(starts[-1]) if starts else held
    if len(held):
        yield int(hours_of_rows(held[:1])[0]), held


def hours_of_rows(rows: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """In which hour since 1970 each row occurred, (n_rows,)."""
    occurred = pc.cast(rows["occurred_at"], pa.int64()).to_numpy()
    return np.asarray(occurred // HOUR_MICROSECONDS, dtype=np.int64)


def name_of_partition(path: Path) -> str:
    """`2026-01-05T03` or `2026-01-05`: the hour or the day that the folder of a raw file is called after."""
    return path.parent.name.removeprefix("hour=")
