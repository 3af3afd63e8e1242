"""The audit opens the files of the hours that it audits, and where nothing was sampled none beside them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from letterpress.errors import StorageError
from letterpress.lake.raw_schema import RAW_SCHEMAS, partition_path
from letterpress.lake.recount import Wanted, recount
from letterpress.lake.recount_sources import SHOWN, RawOfRecommender
from letterpress.settings import Home

NAME = "image_enhancement"
START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)
WANTED = Wanted(NAME, "hash", 2, ("item",), timedelta(hours=24), 1000)
OLDER_COLUMNS = {"live_until", "described", "session_id"}


def slate_path(home: Home, hours: int) -> Path:
    return partition_path(home.raw, NAME, f"{START + hours * HOUR:%Y-%m-%dT%H}", "slate")


def write_slate(home: Home, hours: int, *, sampled: bool, older: bool = False) -> None:
    """One slate of two items that logged two features each."""
    at = START + hours * HOUR + timedelta(minutes=5)
    item: dict[str, Any] = {"position": 1, "propensity": 0.5, "features": [1.0, 2.0]}
    described = [{"item_id": "a", "attributes": [], "labels": []}]
    row = {
        "event_id": f"e{hours}",
        "tenant": "t",
        "occurred_at": at,
        "received_at": at,
        "version": 2,
        "slate_id": f"s{hours}",
        "campaign": {"campaign_id": "c", "labels": []},
        "slot": "hero",
        "policy": "p",
        "items": [item | {"item_id": "a"}, item | {"item_id": "b"}],
        "schema_hash": "hash",
        "described": described if sampled else None,
    }
    table = pa.Table.from_pylist([row], schema=RAW_SCHEMAS["slate"])
    path = slate_path(home, hours)
    path.parent.mkdir(parents=True)
    pq.write_table(table.drop_columns(list(OLDER_COLUMNS)) if older else table, path)


def spoil(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"no Parquet")


def test_the_newest_sampled_slate_is_found_without_a_look_into_older_files(home: Home) -> None:
    for hours, sampled in ((1, True), (2, True), (3, False)):
        write_slate(home, hours, sampled=sampled)
    spoil(slate_path(home, 1))

    found = RawOfRecommender(home, NAME).newest_sampled()

    assert found == START + timedelta(hours=2, minutes=5)


def test_vectors_are_read_from_the_files_of_the_audited_hours(home: Home) -> None:
    for hours in (1, 2, 3, 30):
        write_slate(home, hours, sampled=True)

    found = RawOfRecommender(home, NAME).vector_files(START + timedelta(hours=2, minutes=30))

    assert found == [slate_path(home, 30), slate_path(home, 3), slate_path(home, 2)]


def test_of_all_slates_those_who_were_shown_are_read_and_no_vector(home: Home) -> None:
    write_slate(home, 1, sampled=True)
    write_slate(home, 2, sampled=False, older=True)

    table = RawOfRecommender(home, NAME).shown().read_all()

    assert table.schema == SHOWN
    assert table["items"].to_pylist() == [[{"item_id": "a"}, {"item_id": "b"}]] * 2
    assert table["described"].to_pylist() == [None, [{"item_id": "a"}]]


@pytest.mark.parametrize("event", ["item", "interaction", "outcome"])
def test_where_nothing_was_sampled_nothing_else_is_opened(event: str, home: Home) -> None:
    write_slate(home, 1, sampled=False)
    spoil(partition_path(home.raw, NAME, "2026-01-05T01", event))

    found = recount(home, WANTED, {}, threads=1)

    assert (found.rows.num_rows, found.sampled) == (0, ())
    write_slate(home, 2, sampled=True)
    with pytest.raises(StorageError, match="letterpress lake --verify"):
        recount(home, WANTED, {}, threads=1)
