"""Writes the files of a snapshot from the warehouse, in an order that never depends on threads."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from letterpress.lake.snapshot_layout import COUNT_NAMES, ENTITIES, KEY_SEPARATOR, SnapshotSpec

_ROW_GROUP_ROWS = 65536


def export_recommender(
    connection: duckdb.DuckDBPyConnection, folder: Path, recommender: str, spec: SnapshotSpec
) -> dict[str, int]:
    """Write everything of one recommender into `folder`; rows by file stem."""
    folder.mkdir(parents=True)
    rows = {entity: _export_counts(connection, folder, recommender, entity) for entity in ENTITIES}
    rows["items"] = _export_items(connection, folder, recommender, spec.attributes)
    rows["training"] = _export_training(connection, folder, recommender)
    return rows


def read_span(connection: duckdb.DuckDBPyConnection) -> tuple[datetime | None, str | None, str | None]:
    """(as of, first slate hour, last slate hour) of the warehouse; None when it is empty."""
    rows = connection.sql(
        """
        select
            (select max(as_of_at) from ftr_item_hours),
            (select min(hour) from fct_slate_items),
            (select max(hour) from fct_slate_items)
        """
    ).fetchall()
    as_of, first_hour, last_hour = rows[0]
    return as_of, first_hour, last_hour


def _export_counts(connection: duckdb.DuckDBPyConnection, folder: Path, recommender: str, entity: str) -> int:
    """`<entity>.keys` and `<entity>.npy`; a last row of zeros answers for every unknown key."""
    key = ", ".join(ENTITIES[entity])
    sums = ", ".join(f"cast(sum({name}) as bigint) as {name}" for name in COUNT_NAMES)
    table: pa.Table = connection.sql(
        f"select concat_ws(?, {key}) as key, {sums} from ftr_{entity}_hours "  # noqa: S608 - our own names
        f"where recommender = ? group by {key} order by {key}",
        params=[KEY_SEPARATOR, recommender],
    ).to_arrow_table()
    counts: NDArray[np.int64] = np.zeros((table.num_rows + 1, len(COUNT_NAMES)), np.int64)
    for column, name in enumerate(COUNT_NAMES):
        counts[:-1, column] = table.column(name).to_numpy()
    np.save(folder / f"{entity}.npy", counts)
    (folder / f"{entity}.keys").write_bytes(msgspec.msgpack.encode(table.column("key").to_pylist()))
    return int(table.num_rows)


def _export_items(
    connection: duckdb.DuckDBPyConnection, folder: Path, recommender: str, attributes: tuple[str, ...]
) -> int:
    """`items.keys` (who they are, with their labels) and `items.npy` (attributes, NaN where missing)."""
    wanted = "".join(", attributes[?]" for _ in attributes)
    table: pa.Table = connection.sql(
        f"select tenant, item_id, item_kind, source_id, item_labels{wanted} from dim_items "  # noqa: S608 - markers
        "where recommender = ? order by tenant, item_id",
        params=[*attributes, recommender],
    ).to_arrow_table()
    values: NDArray[np.float64] = np.full((table.num_rows, len(attributes)), np.nan)
    for column in range(len(attributes)):
        values[:, column] = table.column(5 + column).cast("float64").to_numpy()
    np.save(folder / "items.npy", values)
    described = {
        "tenants": table.column("tenant").to_pylist(),
        "item_ids": table.column("item_id").to_pylist(),
        "kinds": table.column("item_kind").to_pylist(),
        "source_ids": table.column("source_id").to_pylist(),
        "labels": [dict(pairs or ()) for pairs in table.column("item_labels").to_pylist()],
    }
    (folder / "items.keys").write_bytes(msgspec.msgpack.encode(described))
    return int(table.num_rows)


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
