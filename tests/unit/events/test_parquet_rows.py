"""Parquet tables as lines of the native log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from letterpress.errors import UsageError
from letterpress.events.codec import MalformedEventError, decode_line
from letterpress.events.parquet_rows import check_table, find_tables, parquet_lines
from letterpress.events.types import Interaction, Item, Outcome, Slate

AT = datetime(2026, 1, 5, 3, 4, 5, 250_000, tzinfo=UTC)


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(map(dict, rows))), path)
    return path


def test_a_flat_table_has_a_column_a_field(tmp_path: Path) -> None:
    row = {
        "event_id": "e1",
        "tenant": "fern",
        "occurred_at": AT,
        "slate_id": "s1",
        "campaign.campaign_id": "c1",
        "campaign.mobile_share": 0.5,
        "campaign.labels.theme": "autumn",
        "slot": "hero",
        "policy": "uniform",
        "items": [{"item_id": "i1", "position": 1, "badge": "new"}],
        "zoom": 7,
    }
    (line,) = parquet_lines(write(tmp_path / "log.parquet", [row]), recommender="image_enhancement")
    event = decode_line(line)
    assert isinstance(event, Slate)
    assert (event.occurred_at, event.recommender) == (AT, "image_enhancement")
    assert (event.campaign.mobile_share, event.campaign.labels) == (0.5, {"theme": "autumn"})
    assert event.extra == {"zoom": 7, "items[0].badge": "new"}


def test_nested_parts_may_be_texts_of_json(tmp_path: Path) -> None:
    row = {
        "type": "slate",
        "event_id": "e1",
        "tenant": "fern",
        "recommender": "pets",
        "occurred_at": "2026-01-05T03:04:05Z",
        "slate_id": "s1",
        "campaign": '{"campaign_id":"c1","labels":{"theme":"autumn"}}',
        "slot": "hero",
        "policy": "uniform",
        "items": '[{"item_id":"i1","position":1}]',
    }
    rows = [row, {**row, "items": "no JSON"}]
    good, bad = parquet_lines(write(tmp_path / "log.parquet", rows))
    event = decode_line(good)
    assert isinstance(event, Slate)
    assert (event.campaign.labels, len(event.items)) == ({"theme": "autumn"}, 1)
    with pytest.raises(MalformedEventError, match="items"):
        decode_line(bad)


def test_rows_of_several_types_say_what_they_are(tmp_path: Path) -> None:
    shared = {"event_id": "e1", "tenant": "fern", "recommender": "pets", "occurred_at": AT, "item_id": "i1"}
    rows: list[dict[str, Any]] = [
        {**shared, "type": "outcome", "slate_id": "s1", "kind": "clicked", "action": None},
        {**shared, "type": "interaction", "slate_id": "s1", "kind": None, "action": "chosen"},
        {**shared, "type": "item", "slate_id": None, "kind": "picture", "action": None},
    ]
    lines = parquet_lines(write(tmp_path / "all.parquet", rows))
    assert [type(decode_line(line)) for line in lines] == [Outcome, Interaction, Item]


def test_rows_that_are_no_events_are_left_to_the_codec_with_their_reason(tmp_path: Path) -> None:
    row = {
        "event_id": "e1",
        "tenant": "fern",
        "recommender": "pets",
        "slate_id": "s1",
        "item_id": "i1",
        "kind": "clicked",
    }
    rows: list[dict[str, Any]] = [
        {**row, "occurred_at": AT.replace(tzinfo=None)},
        {**row, "occurred_at": None},
    ]
    lines = list(parquet_lines(write(tmp_path / "outcome.parquet", rows)))
    codes = []
    for line in lines:
        with pytest.raises(MalformedEventError) as refused:
            decode_line(line)
        codes.append(refused.value.code)
    assert codes == ["no_time_zone", "missing_field"]


def test_a_table_that_fits_no_event_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found the columns colour"):
        check_table(write(tmp_path / "log.parquet", [{"colour": 1}]))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 nothing PAR1")
    with pytest.raises(UsageError, match="expected a Parquet file"):
        check_table(tmp_path / "bad.parquet")


def test_tables_are_found_in_a_folder_and_its_partitions_and_nowhere_else(tmp_path: Path) -> None:
    partition = "recommender=pets/hour=2026-01-05T03"
    for name in (f"{partition}/item.parquet", "truth/items.parquet", ".staging/x.parquet", "a.parquet"):
        write(tmp_path / name, [{"a": 1}])
    assert [path.name for path in find_tables(tmp_path)] == ["a.parquet", "item.parquet"]
