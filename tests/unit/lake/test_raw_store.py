"""Partitions are the same however many chunks their rows came in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from letterpress.events.types import Outcome
from letterpress.lake.raw_columns import events_to_table
from letterpress.lake.raw_store import RawStage
from letterpress.lake.sorted_rows import Chunk

AT = datetime(2026, 1, 5, 3, tzinfo=UTC)


def outcomes(numbers: list[int]) -> Chunk:
    """Events of three hours and two recommenders, out of order and with equal times."""
    events = [
        Outcome(
            event_id=f"e{number:03d}",
            tenant="t",
            recommender=f"r{number % 2}",
            occurred_at=AT + timedelta(minutes=(number * 37) % 180 // 10 * 10),
            slate_id="s",
            item_id="i",
            kind="clicked",
        )
        for number in numbers
    ]
    recommenders = pa.array([event.recommender for event in events])
    return Chunk("outcome", events_to_table("outcome", events, AT), recommenders)


def write(raw: Path, chunks: list[list[int]], *, spilled: int) -> dict[str, bytes]:
    """What lies in raw after the chunks, the first `spilled` of which waited on the disk."""
    stage = RawStage(raw, threads=2)
    for place, numbers in enumerate(chunks):
        stage.add(outcomes(numbers))
        if place < spilled:
            stage.spill()
    for source, target in stage.finish():
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
    assert not list((raw / ".staging").iterdir())
    return {str(path.relative_to(raw)): path.read_bytes() for path in raw.rglob("*.parquet")}


@pytest.mark.parametrize("spilled", [0, 1, 2, 3])
def test_chunks_held_or_on_the_disk_make_the_partitions_that_one_chunk_makes(
    tmp_path: Path, spilled: int
) -> None:
    whole = write(tmp_path / "whole", [list(range(60))], spilled=0)
    chunks = [list(range(40, 60)), list(range(20)), list(range(20, 40))]
    assert len(whole) == 6
    assert write(tmp_path / "parts", chunks, spilled=spilled) == whole


def test_rows_are_merged_in_order_with_those_that_are_there(tmp_path: Path) -> None:
    write(tmp_path, [list(range(0, 60, 3))], spilled=0)
    files = write(tmp_path, [list(range(1, 60, 3)), list(range(2, 60, 3))], spilled=1)
    rows = pa.concat_tables([pq.ParquetFile(tmp_path / path).read() for path in files])
    assert sorted(rows["event_id"].to_pylist()) == [f"e{number:03d}" for number in range(60)]
    for path in files:
        table = pq.ParquetFile(tmp_path / path).read(columns=["occurred_at", "event_id"])
        keys = list(zip(*(table[name].to_pylist() for name in table.column_names), strict=True))
        assert keys == sorted(keys)


def test_hours_are_those_of_the_partitions_that_change(tmp_path: Path) -> None:
    stage = RawStage(tmp_path, threads=1)
    stage.add(outcomes([0, 1]))
    stage.finish()
    assert stage.hours == {("r0", "2026-01-05T03"), ("r1", "2026-01-05T03")}
    assert stage.n_partitions == 2
