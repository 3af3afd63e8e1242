import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from letterpress.clock import ManualClock, ScaledClock, SystemClock, set_clock


def test_a_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(datetime(2026, 1, 5, 2, tzinfo=timezone(timedelta(hours=2))))
    assert clock.now() == datetime(2026, 1, 5, tzinfo=UTC)
    clock.advance(timedelta(hours=3))
    assert clock.now() == datetime(2026, 1, 5, 3, tzinfo=UTC)


def test_time_never_runs_back() -> None:
    with pytest.raises(ValueError, match="never runs back"):
        ManualClock(datetime(2026, 1, 5, tzinfo=UTC)).advance(timedelta(seconds=-1))


def test_a_start_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        ManualClock(datetime(2026, 1, 5))  # noqa: DTZ001 - the mistake that is tested


def test_the_system_clock_is_in_utc() -> None:
    assert SystemClock().now().tzinfo is UTC


START = datetime(2026, 1, 19, tzinfo=UTC)


def test_a_scaled_clock_is_shared_by_all_who_look_at_its_file(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    clock = ScaledClock(path)
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    set_clock(path, START, speed=3600)
    time.sleep(ScaledClock.LOOK_SECONDS * 1.5)
    passed = clock.now() - START
    assert timedelta(minutes=10) < passed < timedelta(days=2)
    assert abs(ScaledClock(path).now() - clock.now()) < timedelta(minutes=30)


def test_a_scaled_clock_is_never_set_back(tmp_path: Path) -> None:
    set_clock(tmp_path / "clock.json", START, speed=1)
    with pytest.raises(ValueError, match="at or after 2026-01-19"):
        set_clock(tmp_path / "clock.json", START - timedelta(hours=1), speed=1)


def test_a_clock_that_stands_still_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="speed above 0"):
        set_clock(tmp_path / "clock.json", START, speed=0)


def test_a_change_of_speed_goes_on_from_what_the_clock_shows(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    set_clock(path, START, speed=3600)
    before = ScaledClock(path).now()
    set_clock(path, speed=1)
    assert timedelta(0) <= ScaledClock(path).now() - before < timedelta(hours=12)
