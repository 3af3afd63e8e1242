import threading
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from letterpress.clock import ManualClock, ScaledClock, SystemClock, drive_clock, set_clock
from letterpress.errors import AlreadyRunningError


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
    time.sleep(0.3)
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


def test_a_slower_time_begins_for_all_at_once_and_nobody_goes_back(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    set_clock(path, START, speed=86_400)
    clocks = [ScaledClock(path), ScaledClock(path)]
    seen: list[list[datetime]] = [[], []]
    is_over = threading.Event()

    def watch(clock: ScaledClock, moments: list[datetime]) -> None:
        while not is_over.is_set():
            moments.append(clock.now())
            time.sleep(ScaledClock.LOOK_SECONDS / 4)  # without it the writer waits for the interpreter

    watchers = [threading.Thread(target=watch, args=pair) for pair in zip(clocks, seen, strict=True)]
    for watcher in watchers:
        watcher.start()
    set_clock(path, speed=1)
    is_over.set()
    for watcher in watchers:
        watcher.join()
    shown = ScaledClock(path).now()
    for clock, moments in zip(clocks, seen, strict=True):
        assert moments == sorted(moments)
        assert abs(clock.now() - shown) < timedelta(seconds=5)  # a tenth of a second was 2.4 hours


def test_time_stands_still_rather_than_go_back_when_its_file_goes(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    set_clock(path, datetime.now(UTC) + timedelta(days=400), speed=1)
    clock = ScaledClock(path)
    before = clock.now()
    path.unlink()
    time.sleep(2 * ScaledClock.LOOK_SECONDS)
    assert clock.now() >= before


def test_a_step_ahead_is_seen_by_all_when_it_is_set(tmp_path: Path) -> None:
    path = tmp_path / "clock.json"
    set_clock(path, START, speed=1)
    clock = ScaledClock(path)
    for hour in range(1, 5):
        assert clock.now() < START + timedelta(hours=hour)
        set_clock(path, START + timedelta(hours=hour), speed=1)
        assert timedelta(0) <= clock.now() - START - timedelta(hours=hour) < timedelta(seconds=5)


def test_one_program_at_a_time_drives_a_clock_and_leaves_it_at_the_walls_speed(tmp_path: Path) -> None:
    path = tmp_path / "home" / "clock.json"
    with drive_clock(path):
        set_clock(path, START, speed=3600)
        with pytest.raises(AlreadyRunningError, match="another simulation"), drive_clock(path):
            pass
    before = ScaledClock(path).now()
    time.sleep(0.05)
    assert ScaledClock(path).now() - before < timedelta(seconds=5)
