"""Connections to the warehouse: one writer, or readers; never both (ADR 0002)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from letterpress.errors import BrokenError, NotYetThereError, StorageError, as_clause
from letterpress.settings import Home

_COLUMNS = "select table_name, column_name from duckdb_columns() where not internal"


@contextmanager
def connect_warehouse(home: Home, *, read_only: bool, threads: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in UTC that is closed when the block ends.

    Raises:
        NotYetThereError: `read_only` is set and nothing was built yet.
        BrokenError: another process holds the warehouse.
        StorageError: the file is no DuckDB database of this version.
    """
    if read_only and not home.warehouse.exists():
        raise NotYetThereError(
            f"expected a warehouse at {home.warehouse}, found none. Run `letterpress ingest`, then "
            "`letterpress features`."
        )
    home.root.mkdir(parents=True, exist_ok=True)
    try:
        connection = duckdb.connect(str(home.warehouse), read_only=read_only, config={"threads": threads})
    except duckdb.IOException as error:
        if "lock" in str(error):
            raise BrokenError(
                f"expected {home.warehouse} to be free, found another process that writes it. Wait for "
                "the running DAG or command to end, then run this again."
            ) from error
        raise StorageError(
            f"expected a DuckDB {duckdb.__version__} database at {home.warehouse}, found: "
            f"{as_clause(error)}. Delete it: it is rebuilt from raw."
        ) from error
    try:
        connection.execute("set TimeZone = 'UTC'")  # not in `config`: that is read before ICU is there
        yield connection
    finally:
        connection.close()


def columns_of_tables(home: Home, *, threads: int) -> dict[str, set[str]]:
    """The columns by name of every table and view in the warehouse.

    Raises:
        BrokenError, StorageError: as of `connect_warehouse`.
    """
    found: dict[str, set[str]] = {}
    with connect_warehouse(home, read_only=True, threads=threads) as connection:
        for table, column in connection.execute(_COLUMNS).fetchall():
            found.setdefault(table, set()).add(column)
    return found
