"""A snapshot may hold the hours before which nothing is on its way: in memory, in a log, or in raw."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from letterpress.clock import ManualClock
from letterpress.lake.complete_hours import begin_build, complete_until, finish_build
from letterpress.lake.ledger import commit_batch
from letterpress.lake.partitions import HourRange
from letterpress.lake.received_mark import ReceivedMark, read_marks
from letterpress.lake.service_log import log_file_name, received_from, service_log_folder
from letterpress.settings import Home

NOW = datetime(2026, 1, 5, 12, 20, tzinfo=UTC)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MORNING = HourRange.parse("2026-01-05T08--2026-01-05T10")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(root=tmp_path)


def gain(home: Home, hour: str, received_at: datetime) -> None:
    """An ingest whose rows of `hour` were first received at `received_at`."""
    commit_batch(home, [], {("pictures", hour): received_at}, [], NOW)


def test_when_nothing_is_on_its_way_the_running_hour_alone_is_left_out(home: Home) -> None:
    assert complete_until(home, ManualClock(NOW)) == NOON


def test_what_a_worker_has_in_memory_holds_its_hour_back(home: Home) -> None:
    mark = ReceivedMark(home.live, NOON - timedelta(seconds=1))
    assert complete_until(home, ManualClock(NOW)) == NOON - timedelta(hours=1)
    mark.set(NOW)
    assert complete_until(home, ManualClock(NOW)) == NOON


def test_the_mark_of_a_dead_worker_holds_nothing_back_and_is_removed(home: Home) -> None:
    home.live.mkdir()
    (home.live / "1-0.mark").write_bytes(bytes(8))
    assert read_marks(home.live) == []
    assert list(home.live.iterdir()) == []


def test_a_mark_that_was_taken_away_says_nothing(home: Home) -> None:
    mark = ReceivedMark(home.live, NOW)
    assert read_marks(home.live) == [NOW]
    mark.close()
    assert read_marks(home.live) == []


@pytest.mark.parametrize("end", ["", ".open"])
def test_a_log_file_that_waits_holds_back_the_hour_that_its_name_says(home: Home, end: str) -> None:
    folder = service_log_folder(home)
    folder.mkdir(parents=True)
    path = folder / (log_file_name(1, datetime(2026, 1, 5, 9, 30, tzinfo=UTC), 0) + end)
    path.touch()
    assert complete_until(home, ManualClock(NOW)) == datetime(2026, 1, 5, 9, tzinfo=UTC)
    path.unlink()
    assert complete_until(home, ManualClock(NOW)) == NOON


def test_a_file_that_somebody_else_put_into_the_folder_is_not_guessed_at() -> None:
    assert received_from("backup.jsonl") is None
    assert received_from(log_file_name(1, NOW, 3)) == NOW


def test_what_raw_gained_is_missing_until_its_range_was_built(home: Home) -> None:
    gain(home, "2026-01-05T08", datetime(2026, 1, 5, 10, 5, tzinfo=UTC))
    assert complete_until(home, ManualClock(NOW)) == datetime(2026, 1, 5, 10, tzinfo=UTC)
    begin_build(home, MORNING)
    assert complete_until(home, ManualClock(NOW)) == datetime(2026, 1, 5, 10, tzinfo=UTC)
    finish_build(home, MORNING)
    assert complete_until(home, ManualClock(NOW)) == NOON


def test_a_build_of_other_hours_does_not_count(home: Home) -> None:
    gain(home, "2026-01-05T08", datetime(2026, 1, 5, 10, 5, tzinfo=UTC))
    later = HourRange.parse("2026-01-05T09--2026-01-05T12")
    begin_build(home, later)
    finish_build(home, later)
    assert complete_until(home, ManualClock(NOW)) == datetime(2026, 1, 5, 10, tzinfo=UTC)
    begin_build(home, None)
    finish_build(home, None)
    assert complete_until(home, ManualClock(NOW)) == NOON


def test_what_an_ingest_adds_while_a_build_runs_is_left_for_the_next_one(home: Home) -> None:
    gain(home, "2026-01-05T08", datetime(2026, 1, 5, 9, 5, tzinfo=UTC))
    begin_build(home, MORNING)
    gain(home, "2026-01-05T08", datetime(2026, 1, 5, 11, 5, tzinfo=UTC))
    finish_build(home, MORNING)
    assert complete_until(home, ManualClock(NOW)) == datetime(2026, 1, 5, 9, tzinfo=UTC)


def test_a_build_that_never_ended_has_taken_nothing_in(home: Home) -> None:
    gain(home, "2026-01-05T08", datetime(2026, 1, 5, 9, 5, tzinfo=UTC))
    begin_build(home, MORNING)
    begin_build(home, MORNING)
    assert complete_until(home, ManualClock(NOW)) == datetime(2026, 1, 5, 9, tzinfo=UTC)
    finish_build(home, MORNING)
    assert complete_until(home, ManualClock(NOW)) == NOON
