"""A build begins on raw that is all there: names and sizes, as the ledger recorded them."""

from __future__ import annotations

from pathlib import Path

import pytest

from letterpress.errors import StorageError
from letterpress.lake.complete_hours import begin_build, finish_build, finish_removal, range_to_build
from letterpress.lake.ledger import insert_moves, open_ledger
from letterpress.lake.partitions import HourRange
from letterpress.lake.removed_hours import count_removed, record_removed
from letterpress.lake.stored_files import StoredFile, record_files
from letterpress.lake.whole_raw import forget_missing, require_whole_raw
from letterpress.settings import Home

RECOMMENDER = "image_enhancement"
DAY = HourRange.parse("2026-01-05T00--2026-01-06T00")
OTHER = HourRange.parse("2026-02-01T00--2026-02-01T01")
NAMES = ("hour=2026-01-05T03/slate.parquet", "hour=2026-01-05/outcome.parquet")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Two recorded files, one of an hour and one of a day."""
    home = Home(root=tmp_path)
    for name in NAMES:
        put(home, name, rows=2)
    return home


def put(home: Home, name: str, *, rows: int) -> Path:
    path = home.raw / f"recommender={RECOMMENDER}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"twelve bytes")
    with open_ledger(home) as ledger:
        record_files(ledger, [StoredFile(str(path.relative_to(home.root)), "0" * 64, 12, rows)], batch=1)
    return path


def test_raw_as_it_was_recorded_is_whole_and_so_is_one_without_a_ledger(home: Home, tmp_path: Path) -> None:
    require_whole_raw(home)
    require_whole_raw(Home(root=tmp_path / "empty"))


@pytest.mark.parametrize(("name", "found"), [(NAMES[0], "no such file"), (NAMES[1], "5 bytes")])
def test_a_file_that_is_missing_or_cut_off_is_named(home: Home, name: str, found: str) -> None:
    path = home.raw / f"recommender={RECOMMENDER}" / name
    path.unlink() if found == "no such file" else path.write_bytes(b"twelv")
    with pytest.raises(
        StorageError, match=f"expected raw/.*{name} with 2 events in 12 bytes .*found {found}"
    ):
        require_whole_raw(home)


def test_what_is_still_to_be_moved_or_holds_no_event_is_not_missed(home: Home) -> None:
    moved, empty = (
        put(home, "hour=2026-01-05T04/slate.parquet", rows=2),
        put(home, "hour=2026-01-05T05/item.parquet", rows=0),
    )
    with open_ledger(home) as ledger:
        insert_moves(ledger, home, [(home.raw / ".staging" / "x", moved)])
    for path in (moved, empty):
        path.unlink()
    require_whole_raw(home)


def test_a_lost_file_that_is_let_go_of_is_missed_no_longer_and_all_is_to_be_built(home: Home) -> None:
    (home.raw / f"recommender={RECOMMENDER}" / NAMES[1]).unlink()
    with open_ledger(home) as ledger:
        forget_missing(home, ledger)
        assert count_removed(ledger, DAY) == 24, "the file was of a day"
        assert count_removed(ledger, OTHER) == 0
    require_whole_raw(home)
    assert range_to_build(home, OTHER) is None


def remove_events(home: Home) -> None:
    with open_ledger(home) as ledger:
        record_removed(ledger, [(RECOMMENDER, "2026-01-05T03")])


def test_all_is_built_until_a_build_that_read_what_was_left_is_published(home: Home) -> None:
    remove_events(home)
    begin_build(home, range_to_build(home, OTHER))
    assert range_to_build(home, OTHER) is None, "the build may die"
    finish_build(home, OTHER)
    assert range_to_build(home, OTHER) is None, "a gate may refuse to publish it"
    finish_removal(home)
    assert range_to_build(home, OTHER) == OTHER


def test_what_is_removed_while_all_is_built_has_all_built_again(home: Home) -> None:
    remove_events(home)
    begin_build(home, None)
    remove_events(home)
    finish_build(home, OTHER)
    finish_removal(home)
    assert range_to_build(home, OTHER) is None
