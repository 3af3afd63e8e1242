"""What was accepted is on disk; what could not be written was refused."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from letterpress.clock import ManualClock
from letterpress.errors import StorageError
from letterpress.lake.received_mark import read_marks
from letterpress.lake.service_log import received_from
from letterpress.serving.event_log import EventLog, LogFullError, land_abandoned

NOW = datetime(2026, 1, 5, tzinfo=UTC)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    log = EventLog(tmp_path / "service", ManualClock(NOW), flush_seconds=0.01, rotate_seconds=60)
    log.start()
    yield log
    log.stop()


def logged(folder: Path) -> list[str]:
    """Lines of the files that anybody may see; one that is still hidden may be renamed at any moment."""
    return [line for path in sorted(folder.glob("[!.]*.jsonl*")) for line in path.read_text().splitlines()]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "waited 5 s in vain"
        time.sleep(0.005)


def break_disk(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def fail(_descriptor: int, _content: bytes) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("letterpress.serving.event_log.os.write", fail)


def test_events_are_on_disk_when_their_future_is_done(log: EventLog, tmp_path: Path) -> None:
    log.append_durable(b"one\ntwo").result(5)
    assert logged(tmp_path / "service") == ["one", "two"]


def test_slates_are_written_within_a_flush(log: EventLog, tmp_path: Path) -> None:
    assert log.append(b"slate")
    wait_for(lambda: logged(tmp_path / "service") == ["slate"])


def test_an_open_file_is_not_for_ingest_and_a_stopped_log_has_none(log: EventLog, tmp_path: Path) -> None:
    log.append_durable(b"one").result(5)
    assert [path.suffix for path in (tmp_path / "service").iterdir()] == [".open"]
    log.append(b"last words")
    log.stop()
    assert [path.suffix for path in (tmp_path / "service").iterdir()] == [".jsonl"]
    assert logged(tmp_path / "service") == ["one", "last words"]


def test_files_are_landed_when_they_are_old_enough(tmp_path: Path) -> None:
    log = EventLog(tmp_path, ManualClock(NOW), flush_seconds=0.01, rotate_seconds=0.05)
    log.start()
    log.append_durable(b"one").result(5)
    wait_for(lambda: len(list(tmp_path.glob("*.jsonl"))) == 1)
    log.append_durable(b"two").result(5)
    log.stop()
    assert logged(tmp_path) == ["one", "two"]
    assert len(list(tmp_path.glob("*.jsonl"))) == 2


def test_a_silent_log_leaves_no_file(log: EventLog, tmp_path: Path) -> None:
    log.stop()
    assert list((tmp_path / "service").iterdir()) == []


def test_files_of_dead_processes_are_landed_and_those_of_the_living_left(tmp_path: Path) -> None:
    (tmp_path / "1-1-0.jsonl.open").write_text('{"whole": 1}\n{"torn": ')
    (tmp_path / "1-2-0.jsonl.open").write_text("")
    living = tmp_path / "2-1-0.jsonl.open"
    living.write_text("x\n")
    with living.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        land_abandoned(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"1-1-0.jsonl", "2-1-0.jsonl.open"}


def test_a_full_disk_refuses_events_keeps_slates_and_recovers(
    log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append_durable(b"before").result(5)
    with monkeypatch.context() as broken:
        break_disk(broken, errno.ENOSPC)
        log.append(b"slate")
        with pytest.raises(LogFullError, match="the disk is full"):
            log.append_durable(b"lost and told so").result(5)
        assert not log.state().healthy
        with pytest.raises(StorageError, match="send it again"):
            log.append_durable(b"told so at once").result(0)
    wait_for(lambda: log.state().healthy)
    log.append_durable(b"after").result(5)
    log.stop()
    assert logged(tmp_path / "service") == ["before", "slate", "after"]


def test_a_half_written_batch_is_taken_back(
    log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_write, calls = os.write, iter(range(10))

    def tear(descriptor: int, content: bytes) -> int:
        if next(calls) == 0:
            return real_write(descriptor, bytes(content)[:3])
        raise OSError(errno.ENOSPC, "No space left on device")

    log.append_durable(b"before").result(5)
    with monkeypatch.context() as broken:
        broken.setattr("letterpress.serving.event_log.os.write", tear)
        with pytest.raises(LogFullError):
            log.append_durable(b"half of this").result(5)
    assert logged(tmp_path / "service") == ["before"]


def test_memory_is_bounded_while_the_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    break_disk(monkeypatch, errno.EIO)
    log = EventLog(tmp_path, ManualClock(NOW), flush_seconds=0.01, max_pending_bytes=1000)
    log.start()
    kept = sum(log.append(b"x" * 100) for _ in range(50))
    state = log.state()
    log.stop()
    assert kept + log.state().unlogged_slates == 50
    assert state.pending_bytes <= 1000 + 100 * kept
    assert log.state().unlogged_slates > 0


def test_after_stop_nothing_is_accepted(log: EventLog) -> None:
    log.stop()
    with pytest.raises(StorageError, match="stopping"):
        log.append_durable(b"late").result(0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def marked(tmp_path: Path, clock: ManualClock) -> Iterator[EventLog]:
    """A log whose mark others can read in `live`."""
    log = EventLog(tmp_path / "service", clock, flush_seconds=0.01, rotate_seconds=60, live=tmp_path / "live")
    log.start()
    yield log
    log.stop()


def test_the_mark_follows_the_clock_of_a_silent_log(
    marked: EventLog, clock: ManualClock, tmp_path: Path
) -> None:
    clock.advance(timedelta(minutes=5))
    wait_for(lambda: read_marks(tmp_path / "live") == [NOW + timedelta(minutes=5)])
    marked.stop()
    assert read_marks(tmp_path / "live") == []


def test_the_mark_waits_for_what_was_stamped_and_is_not_written(
    marked: EventLog, clock: ManualClock, tmp_path: Path
) -> None:
    ticket = marked.hold_mark()
    clock.advance(timedelta(minutes=5))
    marked.append_durable(b"one").result(5)
    marked.append_durable(b"two").result(5)
    assert read_marks(tmp_path / "live") == [NOW]
    marked.release_mark(ticket)
    wait_for(lambda: read_marks(tmp_path / "live") == [NOW + timedelta(minutes=5)])


def test_the_mark_stands_still_while_the_disk_takes_nothing(
    marked: EventLog, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        break_disk(broken, errno.EIO)
        marked.append(b"slate")
        wait_for(lambda: not marked.state().healthy)
        clock.advance(timedelta(minutes=5))
        time.sleep(0.05)
        assert read_marks(tmp_path / "live") == [NOW]
    wait_for(lambda: read_marks(tmp_path / "live") == [NOW + timedelta(minutes=5)])


def test_a_file_is_called_after_a_moment_before_which_nothing_in_it_was_received(
    marked: EventLog, clock: ManualClock, tmp_path: Path
) -> None:
    received: list[datetime] = []

    def to_line(at: datetime) -> bytes:
        received.append(at)
        return b"slate"

    clock.advance(timedelta(minutes=5))
    assert marked.append_stamped(to_line)
    wait_for(lambda: logged(tmp_path / "service") == ["slate"])
    (path,) = (tmp_path / "service").glob("[!.]*")
    stamp = received_from(path.name)
    assert stamp is not None
    assert NOW <= stamp <= received[0] == NOW + timedelta(minutes=5)
