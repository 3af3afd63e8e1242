"""Day files: the rows they are given, in row groups that a reader can skip."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from letterpress.lake import partition_file
from letterpress.lake.partition_file import iter_hours, write_day, write_partition
from letterpress.lake.raw_schema import RAW_SCHEMAS, conform_table

START = datetime(2026, 1, 5, tzinfo=UTC)
TENANTS = ("alder", "birch", "maple")


@pytest.fixture(autouse=True)
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partition_file, "LEAST_ROWS_OF_GROUP", 100)


def hour_of_rows(hour: int, n_rows: int) -> pa.Table:
    """Outcomes of one hour by tenant and time."""
    names = sorted(TENANTS[number % 3] for number in range(n_rows))
    times = [START + timedelta(hours=hour, seconds=3599 * number / n_rows) for number in range(n_rows)]
    ids = [f"{hour}-{number}" for number in range(n_rows)]
    rows = pa.table({"event_id": ids, "tenant": names, "occurred_at": times})
    return conform_table("outcome", rows)


def statistics(path: Path, column: str) -> list[tuple[Any, Any]]:
    """The least and the greatest value in each row group."""
    place = RAW_SCHEMAS["outcome"].get_field_index(column)
    metadata = pq.read_metadata(path)
    found = [metadata.row_group(group).column(place).statistics for group in range(metadata.num_row_groups)]
    return [(each.min, each.max) for each in found]


@pytest.fixture
def day(tmp_path: Path) -> tuple[Path, list[pa.Table]]:
    """Hours that share a row group, one that needs four, and a few rows that are left at the end."""
    hours = [hour_of_rows(hour, n_rows) for hour, n_rows in ((0, 60), (1, 50), (5, 450), (9, 3))]
    path = tmp_path / "outcome.parquet"
    assert write_day("outcome", hours, path) == 563
    return path, hours


def test_row_groups_end_with_hours_and_split_a_large_hour_by_tenants(
    day: tuple[Path, list[pa.Table]],
) -> None:
    hours = [(first.hour, last.hour) for first, last in statistics(day[0], "occurred_at")]
    assert hours == [(0, 1), (5, 5), (5, 5), (5, 5), (5, 5), (9, 9)]
    assert statistics(day[0], "tenant")[1:5] == [
        ("alder", "alder"),
        ("alder", "birch"),
        ("birch", "maple"),
        ("maple", "maple"),
    ]


def test_hours_come_back_as_they_were_across_row_groups(day: tuple[Path, list[pa.Table]]) -> None:
    found = list(iter_hours(day[0]))
    first = int(START.timestamp()) // 3600
    assert [hour - first for hour, _ in found] == [0, 1, 5, 9]
    assert [rows.combine_chunks() for _, rows in found] == [rows.combine_chunks() for rows in day[1]]


def test_a_file_is_written_as_the_one_whose_place_it_takes(day: tuple[Path, list[pa.Table]]) -> None:
    rows = pa.concat_tables(day[1])
    folders = {"hour=2026-01-05": ("ZSTD", 5), "hour=2026-01-05T03": ("SNAPPY", 1)}
    for folder, expected in folders.items():
        staged = day[0].with_name("staged.parquet")
        write_partition(rows, staged, day[0].parent / folder / "outcome.parquet")
        metadata = pq.read_metadata(staged)
        assert (metadata.row_group(0).column(0).compression, metadata.num_row_groups) == expected
        assert np.array_equal(pq.read_table(staged)["event_id"], rows["event_id"])


def test_a_day_that_nothing_is_left_of_is_a_file_without_rows(tmp_path: Path) -> None:
    empty = RAW_SCHEMAS["slate"].empty_table()
    staged = tmp_path / "slate.parquet"
    write_partition(empty, staged, tmp_path / "hour=2026-01-05" / "slate.parquet")
    assert pq.read_table(staged) == empty
    assert list(iter_hours(staged)) == []
