"""Where a training set comes from."""

from __future__ import annotations

from pathlib import Path

import duckdb

_ORIGIN = """
    select
        count(*),
        count(distinct slate_id),
        count(distinct slate_id) filter (where logged_schema_hash is not null)
    from read_parquet(?)
"""


def count_training_slates(path: Path) -> dict[str, int]:
    """`rows` (one item in one slate), `slates`, and `own_slates`: those that our service returned."""
    with duckdb.connect() as connection:
        found = connection.execute(_ORIGIN, [str(path)]).fetchone()
    return dict(zip(("rows", "slates", "own_slates"), found or (0, 0, 0), strict=True))


def count_training_tenants(path: Path) -> dict[str, int]:
    """Rows of the training set by tenant."""
    with duckdb.connect() as connection:
        found = connection.execute(
            "select tenant, count(*) from read_parquet(?) group by tenant order by tenant", [str(path)]
        ).fetchall()
    return {str(tenant): int(rows) for tenant, rows in found}
