"""Makes Great Expectations keep its DuckDB connection open while it reads a result.

As shipped (1.24) it closes the connection first and then fails with "list index out of range"; it keeps
the connection only for the dialects of a private tuple, which DuckDB joins here. A test runs without this
and fails on the day it is no longer needed: then this module can go.
"""

from __future__ import annotations

from enum import StrEnum


class _KeptDialect(StrEnum):
    DUCKDB = "duckdb"


def keep_duckdb_connections() -> None:
    """Register DuckDB among the dialects whose connection is kept. Doing it twice is harmless."""
    from great_expectations.execution_engine import sqlalchemy_execution_engine as engine

    kept = engine._PERSISTED_CONNECTION_DIALECTS
    if _KeptDialect.DUCKDB not in kept:
        engine._PERSISTED_CONNECTION_DIALECTS = (*kept, _KeptDialect.DUCKDB)
