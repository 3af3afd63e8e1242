from datetime import UTC, datetime, timedelta, timezone

import pytest

from letterpress.clock import ManualClock, SystemClock


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
