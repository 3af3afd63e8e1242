"""Writes the files of a snapshot from the warehouse, in an order that never depends on threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from letterpress.lake.array_file import Batch, write_rows
from letterpress.lake.key_table import KeyTable, write_key_table
from letterpress.lake.known_items import DESCRIBED, ITEMS, SPANS
from letterpress.lake.recent_slates import export_recent
from letterpress.lake.snapshot_layout import (
    COUNT_NAMES,
    ENTITIES,
    KEY_SEPARATOR,
    WINDOW_DAYS,
    WINDOWS,
    SnapshotSpec,
    window_start,
)
from letterpress.lake.text_column import TextColumn, write_texts

_ROW_GROUP_ROWS = 65536
_MOST_IN_HALF = int(np.iinfo(np.int32).max)


def export_recommender(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    recommender: str,
    spec: SnapshotSpec,
    as_of: datetime | None,
) -> dict[str, int]:
    """Write everything of one recommender into `folder`, counts as of `as_of`; rows by file stem."""
    folder.mkdir(parents=True)
    rows = {entity: _export_counts(connection, folder, recommender, entity, as_of) for entity in ENTITIES}
    rows["items"] = _export_items(connection, folder, recommender, spec.attributes)
    rows["recent"] = export_recent(connection, folder, recommender, as_of)
    rows["training"] = _export_training(connection, folder, recommender)
    return rows


def read_span(connection: duckdb.DuckDBPyConnection) -> tuple[datetime | None, str | None, str | None]:
    """(newest as-of time, first slate hour, last slate hour) of the warehouse; None when it is empty."""
    rows = connection.sql(
        """
        select
            (select max(as_of_at) from ftr_item_hours),
            (select min(hour) from fct_slate_items),
            (select max(hour) from fct_slate_items)
        """
    ).fetchall()
    newest, first_hour, last_hour = rows[0]
    return newest, first_hour, last_hour


def _export_counts(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    recommender: str,
    entity: str,
    as_of: datetime | None,
) -> int:
    """The keys of an entity and `<entity>.npy`; a last row of zeros answers for every unknown key."""
    key = ", ".join(ENTITIES[entity])
    table: pa.Table = connection.sql(
        f"select concat_ws($separator, {key}) as key, {_WINDOWED_SUMS} from ftr_{entity}_hours "  # noqa: S608 - our own names
        f"where recommender = $recommender and as_of_at <= $as_of group by {key} order by {key}",
        params={
            "separator": KEY_SEPARATOR,
            "recommender": recommender,
            "as_of": as_of,
            **_window_starts(as_of),
        },
    ).to_arrow_table()
    sums = table.columns[1:]
    fits = all((pc.max(column).as_py() or 0) <= _MOST_IN_HALF for column in sums)
    counts: NDArray[np.integer] = np.empty((len(sums), table.num_rows), np.int32 if fits else np.int64)
    for place, column in enumerate(sums):
        counts[place] = column.to_numpy()
    write_entity(folder, entity, table["key"], counts.T)
    return int(table.num_rows)


def _window_starts(as_of: datetime | None) -> dict[str, datetime | None]:
    return {
        f"since_{window}": None if as_of is None else window_start(as_of, days)
        for window, days in WINDOW_DAYS.items()
    }


def _windowed_sums() -> str:
    """SQL of every count since birth, then of those that arrived after the start of each window."""
    conditions = {
        "birth": "",
        **{window: f" filter (where as_of_at > $since_{window})" for window in WINDOW_DAYS},
    }
    return ", ".join(
        f"coalesce(sum({name}){conditions[window]}, 0)::bigint as {name}_{window}"
        for window in WINDOWS
        for name in COUNT_NAMES
    )


_WINDOWED_SUMS = _windowed_sums()


def write_entity(folder: Path, entity: str, keys: pa.ChunkedArray, counts: NDArray[np.integer]) -> None:
    """Write `keys` (n,) and their `counts` (n, windows * 6), window by window in the order of `COUNT_NAMES`.

    They are stored in half the space where all of them fit.
    """
    write_key_table(folder, entity, keys)
    fits = not len(counts) or int(counts.max()) <= _MOST_IN_HALF
    width = len(WINDOWS) * len(COUNT_NAMES)
    batches = [list(counts.T), [np.zeros(1, np.int32)] * width]
    write_rows(folder / f"{entity}.npy", batches, (len(counts) + 1, width), np.int32 if fits else np.int64)


def _export_items(
    connection: duckdb.DuckDBPyConnection, folder: Path, recommender: str, attributes: tuple[str, ...]
) -> int:
    """Who the items are, what is known of them, and `items.npy`: attributes, NaN where missing."""
    n = len(attributes)
    wanted = ", attributes[?]" * n
    described = "to_json(struct_pack(kind := item_kind, source_id := source_id, labels := item_labels))"
    table: pa.Table = connection.sql(
        f"select tenant, concat_ws(?, tenant, item_id) as key, {described}::varchar as described{wanted} "  # noqa: S608 - markers
        "from dim_items where recommender = ? order by tenant, item_id",
        params=[KEY_SEPARATOR, *attributes, recommender],
    ).to_arrow_table()
    write_items(folder, table["tenant"], table["key"], table["described"], _values(table, n), n)
    return int(table.num_rows)


def _values(table: pa.Table, attributes: int) -> Iterator[Batch]:
    for batch in table.to_batches():
        columns = (batch.column(3 + place).cast("float64") for place in range(attributes))
        yield [column.to_numpy(zero_copy_only=False) for column in columns]


def write_items(
    folder: Path,
    tenants: pa.ChunkedArray,
    keys: pa.ChunkedArray,
    described: pa.ChunkedArray,
    attributes: Iterable[Batch],
    n_attributes: int,
) -> None:
    """Write items sorted by tenant; `described` is JSON. Their counts must have been written before."""
    write_key_table(folder, ITEMS, keys)
    write_texts(folder, DESCRIBED, described)
    write_rows(folder / "items.npy", attributes, (len(keys), n_attributes), np.float64)
    counted = KeyTable.open(folder, "item")
    np.save(folder / "items.count_rows.npy", counted.find_all(TextColumn.open(folder, ITEMS)))
    names = pc.run_end_encode(tenants.combine_chunks()) if len(tenants) else None
    spans, start = {}, 0
    if names is not None:
        for name, end in zip(names.values.to_pylist(), names.run_ends.to_pylist(), strict=True):
            spans[name], start = (start, end), end
    (folder / SPANS).write_bytes(msgspec.msgpack.encode(spans))


def _export_training(connection: duckdb.DuckDBPyConnection, folder: Path, recommender: str) -> int:
    """`training.parquet`: the rows of a slate stand together, slates by the time they were shown."""
    path = str(folder / "training.parquet").replace("'", "''")
    found = connection.execute(
        f"copy (select * from training_examples where recommender = ? "  # noqa: S608 - our own path
        f"order by shown_at, tenant, slate_id, position, item_id) "
        f"to '{path}' (format parquet, compression zstd, row_group_size {_ROW_GROUP_ROWS})",
        [recommender],
    ).fetchall()
    return int(found[0][0])
