"""What a commit of a build may write again: the warehouse under the settings of dbt's profile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

PROFILES = Path(__file__).parents[3] / "dbt" / "profiles.yml"
ROW_GROUP = 122_880
GROUPS = 12


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Twelve row groups of which every one has lost three rows of five."""
    profile: dict[str, Any] = yaml.safe_load(PROFILES.read_text(encoding="utf-8"))
    settings = profile["letterpress"]["outputs"]["local"]["settings"]
    with duckdb.connect(str(tmp_path / "warehouse.duckdb"), config={"threads": 1}) as connection:
        connection.execute(f"set max_vacuum_tasks = {settings['max_vacuum_tasks']}")
        connection.execute("set wal_autocheckpoint = '1TB'")
        connection.execute(f"create table marts as select range as n from range({GROUPS * ROW_GROUP})")  # noqa: S608
        connection.execute("checkpoint")
        connection.execute("delete from marts where n % 5 < 3").fetchall()
        yield connection


def row_groups(connection: duckdb.DuckDBPyConnection) -> int:
    (row,) = connection.execute(
        "select count(distinct row_group_id) from pragma_storage_info('marts')"
    ).fetchall()
    return int(row[0])


def test_a_commit_mends_a_part_of_what_earlier_ones_deleted(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Without a bound one checkpoint writes the whole table again, history and all."""
    assert row_groups(warehouse) == GROUPS
    warehouse.execute("checkpoint")
    assert GROUPS - 3 <= row_groups(warehouse) < GROUPS


def test_commit_by_commit_the_room_of_deleted_rows_comes_back(warehouse: duckdb.DuckDBPyConnection) -> None:
    for number in range(GROUPS):
        warehouse.execute(f"insert into marts values ({number})")  # noqa: S608
        warehouse.execute("checkpoint")
    assert row_groups(warehouse) < GROUPS - 2
