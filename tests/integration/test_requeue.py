"""Lines in quarantine that a fix made readable go to raw, once, and the ledger says so."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from letterpress.clock import ManualClock
from letterpress.errors import UsageError
from letterpress.events import codec
from letterpress.lake import requeue
from letterpress.lake.ingest import ingest
from letterpress.lake.landing import land_lines, list_landing
from letterpress.lake.ledger import total_counts
from letterpress.lake.ledger_balance import check_balance
from letterpress.lake.put_aside import quarantine_reasons, quarantined_lines
from letterpress.lake.quarantine import raw_of, read_quarantine
from letterpress.lake.requeue import drop_taken, land_readable
from letterpress.lake.tenant_keys import TenantKeys
from letterpress.lake.verify import verify_lake
from letterpress.orchestration.look_after_lake import reindex_lake
from letterpress.orchestration.requeue_quarantine import requeue_quarantine
from letterpress.settings import Home, Settings


def outcome(number: int, tenant: str = "acme") -> bytes:
    return json.dumps(
        {
            "type": "outcome",
            "event_id": f"e{number}",
            "tenant": tenant,
            "recommender": "subject_line",
            "occurred_at": f"2026-01-05T03:00:{number:02}Z",
            "slate_id": "s",
            "item_id": "i",
            "kind": "clicked",
        }
    ).encode()


BAD = b'{"type":"outcome","tenant":"acme","event_id":5}'


@pytest.fixture
def quarantined(home: Home, clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home whose quarantine holds three good lines, put there by a reader with a fault, and a bad one."""
    with monkeypatch.context() as fault:
        fault.setattr(codec, "LATEST", datetime(2026, 1, 1, tzinfo=UTC))
        land_lines(home, "log", [outcome(1), BAD, outcome(2), outcome(3, "birch")])
        ingest(home, clock, threads=1)
    assert quarantine_reasons(home) == {"out_of_range": 3, "wrong_type": 1}
    return Settings(home=home.root)


def events(home: Home) -> list[str]:
    import pyarrow.parquet as pq

    paths = home.raw.glob("recommender=subject_line/**/*.parquet")
    return sorted(event for path in paths for event in pq.read_table(path)["event_id"].to_pylist())


def waiting(home: Home) -> list[bytes | None]:
    keys = TenantKeys(home.keys)
    return [raw_of(line, keys) for line in read_quarantine(home)]


def hold_the_ledger(home: Home) -> None:
    totals = total_counts(home)
    assert totals["read"] == totals["raw"] + totals["duplicate"] + totals["quarantined"]
    assert totals["raw"] == len(events(home))
    assert sum(quarantine_reasons(home).values()) == len(waiting(home))
    assert verify_lake(home).differences == []
    assert list_landing(home) == []


def test_what_decodes_now_goes_to_raw_and_what_does_not_stays(
    quarantined: Settings, clock: ManualClock
) -> None:
    result = requeue_quarantine(quarantined, clock=clock)
    assert result["requeued"] == {"taken": 3, "still_bad": 1, "without_key": 0}
    (file,) = result["files"]
    assert (file["read"], file["raw"], file["duplicate"], file["quarantined"]) == (3, 3, 0, 0)
    assert events(quarantined.paths) == ["e1", "e2", "e3"]
    assert waiting(quarantined.paths) == [BAD]
    hold_the_ledger(quarantined.paths)


def test_a_second_time_nothing_is_left_to_do(quarantined: Settings, clock: ManualClock) -> None:
    requeue_quarantine(quarantined, clock=clock)
    result = requeue_quarantine(quarantined, clock=clock)
    assert result["requeued"] == {"taken": 0, "still_bad": 1, "without_key": 0}
    assert result["files"] == []
    hold_the_ledger(quarantined.paths)


def test_a_log_that_is_read_again_after_lines_were_taken_back_still_adds_up(
    quarantined: Settings, clock: ManualClock
) -> None:
    home = quarantined.paths
    requeue_quarantine(quarantined, clock=clock)
    reindex_lake(quarantined)
    land_lines(home, "log", [outcome(1), BAD, outcome(2), outcome(3, "birch")])
    (file,) = ingest(home, clock, threads=1).files
    assert (file.read, file.raw, file.duplicate, file.quarantined) == (4, 0, 3, 1)
    assert waiting(home) == [BAD]
    assert quarantine_reasons(home) == {"wrong_type": 1}
    check_balance(home)


def test_lines_that_a_log_left_here_a_second_time_are_counted_again(
    quarantined: Settings, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = quarantined.paths
    requeue_quarantine(quarantined, clock=clock)
    reindex_lake(quarantined)
    monkeypatch.setattr(codec, "LATEST", datetime(2026, 1, 1, tzinfo=UTC))
    land_lines(home, "log", [outcome(1), BAD, outcome(2), outcome(3, "birch")])
    ingest(home, clock, threads=1)
    assert quarantine_reasons(home) == {"out_of_range": 3, "wrong_type": 1}
    (in_time,) = [each for each in quarantined_lines(home) if each.code == "out_of_range"]
    assert (in_time.lines, in_time.requeued) == (3, 3)


def test_what_lies_damaged_in_quarantine_is_counted_too(quarantined: Settings) -> None:
    (path,) = quarantined.paths.quarantine.glob("*.jsonl")
    path.write_bytes(path.read_bytes()[:-60] + b"\n")
    assert sum(quarantine_reasons(quarantined.paths).values()) == 4
    assert quarantine_reasons(quarantined.paths)["damaged"] == 1


def test_only_the_reason_that_was_asked_for_is_taken(quarantined: Settings, clock: ManualClock) -> None:
    result = requeue_quarantine(quarantined, reason="not_utf8", clock=clock)
    assert result["requeued"] == {"taken": 0, "still_bad": 0, "without_key": 0}
    assert requeue_quarantine(quarantined, reason="out_of_range", clock=clock)["requeued"]["taken"] == 3
    with pytest.raises(UsageError, match="expected a reason out of"):
        requeue_quarantine(quarantined, reason="nonsense", clock=clock)


@pytest.mark.parametrize("step", ["landed", "ingested", "staged"])
def test_stopped_anywhere_the_next_run_does_the_rest(
    quarantined: Settings, clock: ManualClock, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = quarantined.paths
    plan = land_readable(home, reason=None)
    if step != "landed":
        ingest(home, clock, threads=1)
    if step == "staged":
        with monkeypatch.context() as stop:
            stop.setattr(requeue, "commit_requeue", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                drop_taken(home, plan, clock)
    result = requeue_quarantine(quarantined, clock=clock)
    assert result["requeued"]["taken"] == 3
    assert events(home) == ["e1", "e2", "e3"]
    assert waiting(home) == [BAD]
    hold_the_ledger(home)


def test_two_at_once_drop_each_line_once(quarantined: Settings, clock: ManualClock) -> None:
    home = quarantined.paths
    first, second = land_readable(home, reason=None), land_readable(home, reason=None)
    ingest(home, clock, threads=1)
    assert [drop_taken(home, plan, clock) for plan in (first, second)] == [3, 0]
    assert waiting(home) == [BAD]
    hold_the_ledger(home)


def test_lines_whose_key_was_destroyed_stay_and_are_counted(
    quarantined: Settings, clock: ManualClock
) -> None:
    TenantKeys(quarantined.paths.keys).destroy("acme")
    result = requeue_quarantine(quarantined, clock=clock)
    assert result["requeued"] == {"taken": 1, "still_bad": 0, "without_key": 3}
    assert events(quarantined.paths) == ["e3"]
