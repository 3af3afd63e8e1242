"""A Parquet file of the lake is read as it was asked for, and a damaged one is an error with a next step."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from letterpress.errors import StorageError
from letterpress.lake.parquet_file import count_rows, read_rows, read_texts
from letterpress.lake.raw_schema import RAW_SCHEMAS

ROW = {
    "event_id": "e" * 50,
    "tenant": "alder",
    "occurred_at": datetime(2026, 1, 5, tzinfo=UTC),
    "item_id": "i1",
    "attributes": [("brightness", 0.5)],
    "labels": [("tone", "warm")],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "item.parquet"
    pq.write_table(pa.Table.from_pylist([ROW] * 100, schema=RAW_SCHEMAS["item"]), path)
    return path


def test_only_asked_for_columns_are_read_and_those_that_a_file_lacks_are_not(path: Path) -> None:
    assert read_rows(path, ["tenant", "arm"]).column_names == ["tenant"]
    assert count_rows(path) == len(read_rows(path)) == 100


def test_texts_are_read_without_numbers_and_times_also_out_of_maps(path: Path) -> None:
    texts = read_texts(path)
    assert "occurred_at" not in texts.column_names
    assert "brightness" in str(texts["attributes"][0])
    assert "0.5" not in str(texts["attributes"][0])
    assert texts["labels"][0].as_py() == [("tone", "warm")]


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "flipped", "gone"])
def test_a_damaged_file_names_itself_and_the_next_step(path: Path, damage: str) -> None:
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        flipped = bytes(each ^ 0xFF for each in content[4:-100]) + content[-100:]
        path.write_bytes({"cut": content[:-9], "empty": b"", "text": b"hello"}.get(damage, b"PAR1" + flipped))
    with pytest.raises(StorageError, match=rf"{path}, found .*lake --verify"):
        read_rows(path)
