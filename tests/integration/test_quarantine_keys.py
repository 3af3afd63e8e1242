"""What of a log touches the disk: nothing personal in raw, everything bad encrypted, copies encrypted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from letterpress.clock import ManualClock
from letterpress.errors import StorageError
from letterpress.lake.ingest import ingest
from letterpress.lake.landing import land_copy, land_lines, list_landing, open_landed
from letterpress.lake.ledger import open_ledger
from letterpress.lake.ledger_balance import check_balance
from letterpress.lake.put_aside import masked_counts, quarantine_reasons
from letterpress.lake.quarantine import quarantine_files, raw_of, read_quarantine
from letterpress.lake.tenant_keys import NO_TENANT, TenantKeys, key_id_of
from letterpress.lake.verify import verify_lake
from letterpress.settings import Home
from letterpress.simulation.simulate import Plan, simulate

BAD = b'{"type":"outcome","tenant":"acme","event_id":7,"item_id":"bob@example.com"}'
BAD_OF_NOBODY = b"+1 415 555 2671 is no event"
GOOD = (
    b'{"type":"outcome","event_id":"e1","tenant":"acme","recommender":"subject_line",'
    b'"occurred_at":"2026-01-05T03:00:00Z","slate_id":"s","item_id":"to bob@example.com","kind":"clicked",'
    b'"recipient_id":"r-77","call":{"back":"+1 415 555 2671"}}'
)


def everything_below(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_landed_copy_is_unreadable_on_disk_and_reads_as_it_was(home: Home, tmp_path: Path) -> None:
    (tmp_path / "bob@example.com.jsonl").write_bytes(GOOD + b"\n")
    copied = land_copy(home, tmp_path / "bob@example.com.jsonl")
    written = land_lines(home, "foreign", [GOOD, BAD])
    assert b"example" not in everything_below(home.landing)
    assert "bob@" not in copied.name
    assert set(list_landing(home)) == {copied, written}
    with open_landed(home, copied) as stream:
        assert stream.read() == GOOD + b"\n"
    assert land_lines(home, "foreign", [GOOD, BAD]) == written


def test_bad_lines_are_kept_for_their_tenant_only(home: Home, clock: ManualClock) -> None:
    land_lines(home, "log", [GOOD, BAD, BAD_OF_NOBODY])
    report = ingest(home, clock, threads=1)
    assert (report.files[0].raw, report.files[0].quarantined) == (1, 2)
    assert b"example" not in everything_below(home.quarantine)
    keys = TenantKeys(home.keys)
    found = {line.key: raw_of(line, keys) for line in read_quarantine(home)}
    assert found == {key_id_of("acme"): BAD, key_id_of(NO_TENANT): BAD_OF_NOBODY}
    keys.destroy("acme")
    assert [raw_of(line, keys) for line in read_quarantine(home)] == [None, BAD_OF_NOBODY]


def test_what_was_masked_is_counted_in_the_ledger(home: Home, clock: ManualClock) -> None:
    land_lines(home, "log", [GOOD])
    ingest(home, clock, threads=1)
    assert masked_counts(home) == [
        {"event": "outcome", "field": "extra", "kind": "phone", "found": 1},
        {"event": "outcome", "field": "item_id", "kind": "email", "found": 1},
        {"event": "outcome", "field": "recipient_id", "kind": "identifier", "found": 1},
    ]


def test_a_copy_whose_key_is_gone_says_so_and_leaves_everything(home: Home, clock: ManualClock) -> None:
    land_lines(home, "log", [GOOD])
    TenantKeys(home.keys).destroy(NO_TENANT)
    with pytest.raises(StorageError, match="Restore the key"):
        ingest(home, clock, threads=1)
    assert len(list(home.landing.iterdir())) == 1


@pytest.mark.parametrize("damage", ["flipped", "flipped head", "cut", "empty"])
def test_a_damaged_copy_is_put_aside_and_the_others_go_on(
    home: Home, clock: ManualClock, damage: str
) -> None:
    land_lines(home, "good", [GOOD])
    bad = land_lines(home, "bad", [GOOD, BAD])
    content = bytearray(bad.read_bytes())
    content[{"flipped": 60, "flipped head": 6}.get(damage, -1)] ^= 1
    bad.write_bytes(bad_bytes_of(damage, content))
    done = ingest(home, clock, threads=1)
    reports = {report.path.partition("-")[2]: report for report in done.files}
    assert (reports["good.jsonl.gz"].raw, reports["bad.jsonl.gz"].quarantined) == (1, 1)
    assert quarantine_reasons(home) == {"damaged_copy": 1}
    assert list_landing(home) == []
    (aside,) = home.quarantine.glob("*.sealed")
    assert aside.read_bytes() == bad_bytes_of(damage, content)
    check_balance(home)
    assert verify_lake(home).differences == []
    assert ingest(home, clock, threads=1).files == []

    land_lines(home, "bad", [GOOD, BAD])
    (again,) = ingest(home, clock, threads=1).files
    assert (again.raw, again.duplicate, again.quarantined) == (0, 1, 1)
    check_balance(home)


def bad_bytes_of(damage: str, content: bytearray) -> bytes:
    return {"cut": bytes(content[:-30]), "empty": b""}.get(damage, bytes(content))


def test_a_copy_that_is_damaged_after_its_commit_stops_nobody(home: Home, clock: ManualClock) -> None:
    landed = land_lines(home, "log", [GOOD])
    whole = landed.read_bytes()
    ingest(home, clock, threads=1)
    landed.write_bytes(whole[:-5])
    with open_ledger(home) as ledger:
        ledger.execute("insert into deletions values (?, 'of its content')", (landed.name,))
    assert verify_lake(home).differences == []
    assert ingest(home, clock, threads=1).files[0].reasons == {"damaged_copy": 1}


def test_a_damaged_quarantine_names_file_and_line(home: Home, clock: ManualClock) -> None:
    land_lines(home, "log", [BAD, BAD])
    ingest(home, clock, threads=1)
    (path,) = quarantine_files(home)
    first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:50])
    with pytest.raises(StorageError, match=rf"line 2 of {path}"):
        list(read_quarantine(home))


def test_a_clean_simulated_log_holds_nothing_that_looks_personal(
    home: Home, clock: ManualClock, tmp_path: Path
) -> None:
    for path in simulate(Plan(2, 150, 7, "steady", datetime(2026, 1, 3, tzinfo=UTC)), tmp_path).files:
        land_copy(home, path)
    report = ingest(home, clock, threads=1)
    assert report.total("raw") > 1000
    assert {kind for _, _, kind in report.masked} == {"identifier"}, "the declared ones, nothing detected"
