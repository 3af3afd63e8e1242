"""Landing to raw: nothing lost, nothing twice, and the ledger says what became of every line."""

from __future__ import annotations

import errno
import fcntl
import gzip
import hashlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from letterpress.clock import ManualClock
from letterpress.errors import AlreadyRunningError, StorageError
from letterpress.lake import decode_workers, raw_store
from letterpress.lake import ingest as ingest_module
from letterpress.lake.decoding import DecodedBlock
from letterpress.lake.identity_store import identity_folder, open_identity, rebuild_identity
from letterpress.lake.ingest import IngestReport, ingest
from letterpress.lake.landing import list_landing
from letterpress.lake.ledger import (
    adjust_rows,
    commit_batch,
    finish_moves,
    identity_runs,
    mark_announced,
    open_ledger,
    pending_ranges,
    total_counts,
    watermarks,
)
from letterpress.lake.ledger_balance import check_balance
from letterpress.lake.partitions import HourRange
from letterpress.lake.put_aside import quarantine_reasons
from letterpress.lake.quarantine import raw_of, read_quarantine
from letterpress.lake.tenant_keys import TenantKeys
from letterpress.settings import Home
from letterpress.simulation.simulate import SCENARIOS, Plan, simulate

START = datetime(2026, 1, 5, tzinfo=UTC)


def outcome(number: int, *, hour: int = 3, tenant: str = "fern", **more: Any) -> bytes:
    event = {
        "type": "outcome",
        "event_id": f"e{number}",
        "tenant": tenant,
        "recommender": "image_enhancement",
        "occurred_at": (START + timedelta(hours=hour, seconds=number % 3600)).isoformat(),
        "received_at": (START + timedelta(hours=hour + 1)).isoformat(),
        "slate_id": "s1",
        "item_id": "i1",
        "kind": "clicked",
        "count": number,
        **more,
    }
    return msgspec.json.encode(event)


def land(home: Home, name: str, data: bytes) -> Path:
    path = home.landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def run(home: Home, clock: ManualClock) -> IngestReport:
    """Ingest, and hold that the ledger adds up."""
    report = ingest(home, clock, threads=2)
    for file in report.files:
        assert file.read == file.raw + file.duplicate + file.quarantined
    totals = total_counts(home)
    assert totals["raw"] == count_rows(home)
    assert (
        totals["quarantined"]
        == sum(1 for _ in read_quarantine(home))
        == sum(quarantine_reasons(home).values())
    )
    check_balance(home)
    assert list_landing(home) == []
    return report


def raw_files(home: Home) -> dict[str, str]:
    """Checksums of all partitions by their place."""
    return {
        str(path.relative_to(home.raw)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in raw_store.iter_partitions(home.raw)
    }


def count_rows(home: Home) -> int:
    return sum(
        len(duckdb.read_parquet(f"{home.raw}/recommender=*/hour=*/{event}.parquet").fetchall())
        for event in ("item", "campaign", "slate", "interaction", "outcome")
    )


def outcomes(home: Home) -> list[tuple[Any, ...]]:
    relation = duckdb.read_parquet(f"{home.raw}/recommender=*/hour=*/outcome.parquet", hive_partitioning=True)
    ordered = relation.order("hour, occurred_at, event_id, tenant")
    return ordered.project('event_id, tenant, "count", hour').fetchall()


def test_the_golden_log_reaches_raw_and_a_second_run_changes_nothing(
    home: Home, clock: ManualClock, golden: Path
) -> None:
    lines = (golden / "native_log.jsonl").read_bytes()
    land(home, "golden.jsonl", lines)
    (file,) = run(home, clock).files
    assert (file.read, file.raw) == (len(lines.splitlines()), len(lines.splitlines()))
    before = raw_files(home)
    assert run(home, clock).files == []
    assert raw_files(home) == before
    land(home, "again.jsonl.gz", gzip.compress(lines))
    (again,) = run(home, clock).files
    assert (again.raw, again.duplicate) == (0, file.read)
    assert raw_files(home) == before


def test_an_empty_landing_still_leaves_columns_to_read(home: Home, clock: ManualClock) -> None:
    assert run(home, clock) == IngestReport()
    assert outcomes(home) == []


@pytest.mark.parametrize("name", ["empty.jsonl", "empty.jsonl.gz"])
def test_an_empty_log_is_a_file_of_no_lines(home: Home, clock: ManualClock, name: str) -> None:
    land(home, name, gzip.compress(b"") if name.endswith("gz") else b"")
    (file,) = run(home, clock).files
    assert (file.path, file.read) == (name, 0)


def test_a_log_of_one_tenant_is_a_log(home: Home, clock: ManualClock) -> None:
    land(home, "one.jsonl", b"\n".join(outcome(number) for number in range(10)))
    assert run(home, clock).total("raw") == 10


def test_the_same_id_of_two_tenants_is_two_events_and_of_one_tenant_one(
    home: Home, clock: ManualClock
) -> None:
    land(home, "a.jsonl", outcome(1) + b"\n" + outcome(1, tenant="maple") + b"\n" + outcome(1, count=99))
    land(home, "b.jsonl", outcome(1, count=98) + b"\n" + outcome(2))
    report = run(home, clock)
    assert [(file.raw, file.duplicate) for file in report.files] == [(2, 1), (1, 1)]
    assert [(row[0], row[1], row[2]) for row in outcomes(home)] == [
        ("e1", "fern", 1),
        ("e1", "maple", 1),
        ("e2", "fern", 2),
    ]


def test_an_event_is_known_in_whatever_file_hour_and_day_it_comes_again(
    home: Home, clock: ManualClock
) -> None:
    land(home, "a.jsonl", outcome(1))
    run(home, clock)
    land(home, "b.jsonl", outcome(1, hour=4) + b"\n" + outcome(1, hour=30) + b"\n" + outcome(1, hour=3))
    report = run(home, clock)
    assert (report.total("duplicate"), report.hours) == (3, [])
    assert [row[3] for row in outcomes(home)] == ["2026-01-05T03"]


def test_the_same_id_of_another_recommender_or_type_is_another_event(home: Home, clock: ManualClock) -> None:
    other_type = {"type": "interaction", "action": "chosen"}
    chose = msgspec.json.encode(
        {
            name: value
            for name, value in (msgspec.json.decode(outcome(1)) | other_type).items()
            if name not in {"kind", "count"}
        }
    )
    land(home, "a.jsonl", outcome(1) + b"\n" + outcome(1, recommender="subject_line") + b"\n" + chose)
    assert run(home, clock).total("raw") == 3


def test_a_file_whose_bytes_are_known_is_not_read_again(
    home: Home, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = outcome(1) + b"\nbad\n" + outcome(2)
    land(home, "a.jsonl", data)
    land(home, "copy.jsonl", data)
    first, copy = run(home, clock).files
    assert (first.raw, first.quarantined, copy.read, copy.duplicate) == (2, 1, 3, 3)
    land(home, "later.jsonl", data)
    monkeypatch.setattr(ingest_module, "LogFile", None)
    (again,) = run(home, clock).files
    assert (again.path, again.read, again.duplicate) == ("later.jsonl", 3, 3)


def test_a_file_that_grows_while_it_is_read_stays_and_is_read_to_its_end_later(
    home: Home, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = land(home, "a.jsonl", outcome(1) + b"\n" + outcome(2)[:50])

    def commit_and_grow(*args: Any, **more: Any) -> None:
        commit_batch(*args, **more)
        with path.open("ab") as stream:
            stream.write(outcome(2)[50:] + b"\n" + outcome(3))

    with monkeypatch.context() as growing:
        growing.setattr(ingest_module, "commit_batch", commit_and_grow)
        (file,) = ingest(home, clock, threads=1).files
    assert (file.raw, file.quarantined) == (1, 1)
    (rest,) = run(home, clock).files
    assert (rest.read, rest.raw, rest.duplicate) == (3, 2, 1)


def test_the_index_is_made_again_from_raw_when_it_is_lost_or_cut(home: Home, clock: ManualClock) -> None:
    lines = [outcome(number, hour=number % 24) for number in range(100)]
    land(home, "a.jsonl", b"\n".join(lines))
    run(home, clock)
    (run_file,) = identity_runs(home)
    path = identity_folder(home) / run_file.name
    whole = path.read_bytes()
    for cut in (b"", whole[:-16]):
        path.write_bytes(cut)
        land(home, "b.jsonl", b"\n".join(reversed(lines)) + b"\n" * len(cut))
        assert run(home, clock).total("duplicate") == 100
        assert path.read_bytes() == whole


def test_after_events_were_lost_their_files_can_be_read_again(home: Home, clock: ManualClock) -> None:
    data = outcome(1, hour=1) + b"\n" + outcome(2, hour=2)
    land(home, "a.jsonl", data)
    run(home, clock)
    (home.raw / "recommender=image_enhancement/hour=2026-01-05T01/outcome.parquet").unlink()
    with pytest.raises(StorageError, match="expected 2 rows in raw as the ledger says, found 1"):
        check_balance(home)
    rebuild_identity(home, read_files_again=True)
    land(home, "a.jsonl", data)
    (file,) = ingest(home, clock, threads=1).files
    assert (file.raw, file.duplicate) == (1, 1)
    assert len(outcomes(home)) == 2
    with open_ledger(home) as ledger:
        adjust_rows(ledger, "raw", -1, "one was lost and came back")
    check_balance(home)


def test_many_commits_leave_few_runs_and_no_other_file(home: Home, clock: ManualClock) -> None:
    for number in range(20):
        land(home, "a.jsonl", outcome(number))
        run(home, clock)
    open_identity(home)
    runs = identity_runs(home)
    assert len(runs) <= 4
    assert sum(each.n_keys for each in runs) == 20
    assert sorted(path.name for path in identity_folder(home).iterdir()) == sorted(each.name for each in runs)


def test_a_log_that_came_under_a_wrong_name_is_read_under_the_right_one(
    home: Home, clock: ManualClock
) -> None:
    packed = gzip.compress(b"\n".join(outcome(number) for number in range(5)))
    land(home, "day.jsonl", packed)
    (wrong,) = run(home, clock).files
    assert (wrong.raw, wrong.quarantined) == (0, wrong.read)
    land(home, "day.jsonl.gz", packed)
    (right,) = run(home, clock).files
    assert (right.raw, right.quarantined) == (5, 0)
    check_balance(home)


def plain_quarantine(home: Home) -> list[tuple[str, int, bytes | None]]:
    keys = TenantKeys(home.keys)
    return [(line.code, line.line, raw_of(line, keys)) for line in read_quarantine(home)]


def test_worker_processes_give_the_same_raw_quarantine_and_ledger(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = simulate(Plan(2, 200, 5, "corrupt", START), tmp_path / "sim")
    found = []
    for name, least in (("here", 1 << 60), ("there", 0)):
        monkeypatch.setattr(ingest_module, "PARALLEL_BYTES", least)
        home = Home(root=tmp_path / name, keys_folder=tmp_path / "keys")
        for path in summary.files:
            land(home, path.name, path.read_bytes())
        files = run(home, clock).files
        found.append((files, raw_files(home), plain_quarantine(home), identity_runs(home)))
    assert found[0] == found[1]


def test_a_worker_that_dies_is_told_and_nothing_is_lost(
    home: Home, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(home, "a.jsonl", outcome(1))

    def receive_of_dead(worker: Any) -> DecodedBlock:
        worker.process.kill()
        worker.process.wait()
        return receive(worker)

    receive = decode_workers._Worker.receive
    with monkeypatch.context() as dying:
        dying.setattr(ingest_module, "PARALLEL_BYTES", 0)
        dying.setattr(decode_workers._Worker, "send", lambda worker, job: None)
        dying.setattr(decode_workers._Worker, "receive", receive_of_dead)
        with pytest.raises(StorageError, match="ended with code -9"):
            ingest(home, clock, threads=2)
    assert run(home, clock).total("raw") == 1


def test_a_tenants_log_is_complete_up_to_its_last_event_less_the_lateness(
    home: Home, clock: ManualClock
) -> None:
    land(home, "a.jsonl", outcome(0, hour=5) + b"\n" + outcome(0, hour=4, tenant="maple"))
    run(home, clock)
    land(home, "b.jsonl", outcome(7200, hour=3) + b"\n" + outcome(1, hour=20_000, tenant="maple"))
    run(home, clock)
    assert watermarks(home, timedelta(hours=2)) == {
        "fern": START + timedelta(hours=3),
        "maple": clock.now() - timedelta(hours=2),
    }


def test_bad_lines_go_to_quarantine_whole_with_their_reasons(home: Home, clock: ManualClock) -> None:
    bad = {
        b"\xff\xfe broken": "not_utf8",
        outcome(1).replace(b"e1", b"a\x00b"): "nul_byte",
        outcome(1).replace(b"e1", b"x" * 10_000): "too_long",
        b"not json": "not_json",
        outcome(2)[:30]: "not_json",
    }
    good = [outcome(number) for number in range(20)]
    land(home, "mixed.jsonl", b"\n".join([*good[:10], *bad, *good[10:]]) + b"\n")
    (file,) = run(home, clock).files
    assert (file.raw, file.quarantined) == (20, len(bad))
    keys = TenantKeys(home.keys)
    found = {raw_of(line, keys): (line.code, line.line, line.file) for line in read_quarantine(home)}
    expected = {raw: (code, 11 + place, "mixed.jsonl") for place, (raw, code) in enumerate(bad.items())}
    assert found == expected


def test_of_a_truncated_gzip_what_is_readable_is_kept(home: Home, clock: ManualClock) -> None:
    noise = random.Random(1)
    lines = [outcome(number, slate_id=f"{noise.getrandbits(128):x}") for number in range(3000)]
    packed = gzip.compress(b"\n".join(lines))
    land(home, "cut.jsonl.gz", packed[: len(packed) // 2])
    (file,) = run(home, clock).files
    assert 500 < file.raw < 2500
    assert file.quarantined == 1
    (rest,) = read_quarantine(home)
    assert (rest.code, rest.line) == ("truncated_file", file.read)
    assert lines[file.raw].startswith(raw_of(rest, TenantKeys(home.keys)) or b"?")
    assert list(home.landing.iterdir()) == []


def test_a_line_without_end_is_refused_and_the_rest_is_read(home: Home, clock: ManualClock) -> None:
    land(home, "bomb.jsonl.gz", gzip.compress(outcome(1) + b"\n" + b" " * 30_000_000 + b"\n" + outcome(2)))
    (file,) = run(home, clock).files
    assert (file.raw, file.quarantined) == (2, 1)
    assert quarantine_reasons(home) == {"too_large": 1}


def test_files_that_are_still_written_are_left_alone(home: Home, clock: ManualClock) -> None:
    waiting = land(home, "service/now.jsonl.open", outcome(1))
    land(home, "service/closed.jsonl", outcome(2))
    land(home, "half.jsonl.gz.tmp", b"")
    (home.landing / "folder.jsonl").mkdir()
    (file,) = run(home, clock).files
    assert file.path == "service/closed.jsonl"
    assert waiting.exists()


def test_a_late_event_rewrites_only_its_own_partition(home: Home, clock: ManualClock) -> None:
    land(home, "day.jsonl", b"\n".join(outcome(number, hour=number % 24) for number in range(200)))
    run(home, clock)
    mark_announced(home, pending_ranges(home))
    before = raw_files(home)
    land(home, "late.jsonl", outcome(999, hour=5))
    report = run(home, clock)
    assert report.hours == [("image_enhancement", "2026-01-05T05")]
    after = raw_files(home)
    changed = {path for path in after if after[path] != before.get(path)}
    assert changed == {"recommender=image_enhancement/hour=2026-01-05T05/outcome.parquet"}
    assert pending_ranges(home) == [HourRange(START + timedelta(hours=5), START + timedelta(hours=6))]


def test_an_hour_that_changes_again_is_announced_again(home: Home, clock: ManualClock) -> None:
    land(home, "a.jsonl", outcome(1))
    run(home, clock)
    seen = pending_ranges(home)
    land(home, "b.jsonl", outcome(2))
    run(home, clock)
    mark_announced(home, seen, up_to_batch=1)
    assert pending_ranges(home) == seen
    mark_announced(home, seen, up_to_batch=2)
    assert pending_ranges(home) == []


def test_partitions_are_sorted_whatever_the_order_of_arrival(home: Home, clock: ManualClock) -> None:
    numbers = random.Random(2).sample(range(5000), 600)
    for part in range(3):
        land(
            home, f"{part}.jsonl", b"\n".join(outcome(number, hour=number % 5) for number in numbers[part::3])
        )
    run(home, clock)
    for path in raw_store.iter_partitions(home.raw):
        rows = duckdb.read_parquet(str(path)).project("occurred_at, event_id").fetchall()
        assert rows == sorted(rows)
    assert len(outcomes(home)) == 600


def test_small_chunks_and_batches_give_the_same_raw(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = [
        b"\n".join(outcome(number % 700, hour=number % 3) for number in range(part, 1500, 4))
        for part in range(4)
    ]
    results = []
    for name in ("large", "small"):
        home = Home(root=tmp_path / name)
        for part, lines in enumerate(data):
            land(home, f"{part}.jsonl", lines)
        results.append((run(home, clock).files, raw_files(home), outcomes(home)))
        monkeypatch.setattr(ingest_module, "CHUNK_BYTES", 1)
        monkeypatch.setattr(ingest_module, "BATCH_FILES", 1)
    (large_files, _, large), (small_files, _, small) = results
    assert large == small
    assert large_files == small_files


def test_a_second_ingest_waits_and_then_says_so(home: Home, clock: ManualClock) -> None:
    land(home, "a.jsonl", outcome(1))
    home.raw.mkdir(parents=True)
    with (home.raw / ".ingest.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(AlreadyRunningError):
            ingest(home, clock, threads=1, wait_seconds=0.2)
    assert run(home, clock).total("raw") == 1


def test_a_full_disk_loses_nothing(home: Home, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    path = land(home, "a.jsonl", b"\n".join(outcome(number) for number in range(50)))
    written = path.read_bytes()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("pyarrow.parquet.write_table", refuse)
        full.setattr(ingest_module, "ensure_anchors", lambda raw: None)
        with pytest.raises(StorageError, match="found it full"):
            ingest(home, clock, threads=1)
    assert path.read_bytes() == written
    assert total_counts(home)["files"] == 0
    assert run(home, clock).total("raw") == 50


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_a_failure_right_after_the_commit_is_made_good_by_the_next_run(
    home: Home, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    land(home, "a.jsonl", b"\n".join(outcome(number, hour=number % 4) for number in range(50)) + b"\nbad")

    def fail(_: Home) -> int:
        raise error

    with monkeypatch.context() as failing:
        _crash_at_second_call(failing, "letterpress.lake.ingest.finish_moves", fail)
        with pytest.raises((KeyboardInterrupt, StorageError)):
            ingest(home, clock, threads=1)
    assert total_counts(home)["raw"] == 50
    assert run(home, clock).files == []
    assert len(outcomes(home)) == 50
    assert pending_ranges(home) == [HourRange(START, START + timedelta(hours=4))]


def test_a_new_file_that_took_the_name_of_a_committed_one_is_read(
    home: Home, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(home, "a.jsonl", outcome(1))

    def die(_: Home) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as failing:
        _crash_at_second_call(failing, "letterpress.lake.ingest.finish_moves", die)
        with pytest.raises(KeyboardInterrupt):
            ingest(home, clock, threads=1)
    land(home, "a.jsonl", outcome(2))
    assert run(home, clock).total("raw") == 1
    assert len(outcomes(home)) == 2


def test_a_damaged_partition_is_named(home: Home, clock: ManualClock) -> None:
    land(home, "a.jsonl", outcome(1))
    run(home, clock)
    path = home.raw / "recommender=image_enhancement/hour=2026-01-05T03/outcome.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    land(home, "b.jsonl", outcome(2))
    with pytest.raises(StorageError, match=r"hour=2026-01-05T03/outcome\.parquet"):
        ingest(home, clock, threads=1)
    assert [path.name for path in list_landing(home)] == ["b.jsonl"]


def _crash_at_second_call(patch: pytest.MonkeyPatch, name: str, crash: Callable[[Home], int]) -> None:
    """The first call finds no moves to do, the second follows the commit."""
    calls: list[Home] = []

    def finish(home: Home) -> int:
        calls.append(home)
        return finish_moves(home) if len(calls) == 1 else crash(home)

    patch.setattr(name, finish)


KILLED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from letterpress.clock import ManualClock
from letterpress.lake import ingest
from letterpress.settings import Home
ingest.BATCH_FILES = 2
print("ready", flush=True)
ingest.ingest(Home(root=Path(sys.argv[1])), ManualClock(datetime(2026, 1, 6, tzinfo=UTC)), threads=2)
"""


def test_killed_at_any_moment_a_rerun_gives_the_raw_of_an_undisturbed_run(
    tmp_path: Path, clock: ManualClock
) -> None:
    logs = {
        f"{part}.jsonl": b"\n".join(outcome(number, hour=number % 24) for number in range(part, 4000, 5))
        for part in range(6)
    }
    calm, disturbed = Home(root=tmp_path / "calm"), Home(root=tmp_path / "disturbed")
    for home in (calm, disturbed):
        for name, data in logs.items():
            land(home, name, data)
    run(calm, clock)
    moments = random.Random(3)
    for _ in range(4):
        command = [sys.executable, "-c", KILLED, str(disturbed.root)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(moments.uniform(0.0, 0.25))
            process.send_signal(signal.SIGKILL)
    run(disturbed, clock)
    assert outcomes(disturbed) == outcomes(calm)
    assert total_counts(disturbed) == total_counts(calm)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=60) | st.integers(0, 5).map(outcome), max_size=12))
def test_whatever_the_lines_the_ledger_adds_up(
    tmp_path_factory: pytest.TempPathFactory, clock: ManualClock, lines: list[bytes]
) -> None:
    home = Home(root=tmp_path_factory.mktemp("fuzz"))
    data = b"\n".join(lines)
    land(home, "fuzz.jsonl", data)
    (file,) = run(home, clock).files
    assert file.read == sum(1 for line in data.split(b"\n") if line not in (b"", b"\r"))


@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_a_simulated_log_is_accounted_for_to_the_last_line(
    home: Home, clock: ManualClock, tmp_path: Path, scenario: str
) -> None:
    summary = simulate(Plan(3, 300, 5, scenario, START), tmp_path / "sim")
    for path in summary.files:
        land(home, path.name, path.read_bytes())
    report = run(home, clock)
    assert report.total("raw") == summary.n_events
    assert report.total("duplicate") == sum(summary.duplicates.values())
    assert quarantine_reasons(home) == dict(summary.damaged.most_common())
