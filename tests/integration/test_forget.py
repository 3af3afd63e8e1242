"""Forgetting on a small lake, and killed at every step."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from letterpress.cli.application import build_app, run_app
from letterpress.clock import ManualClock
from letterpress.errors import AlreadyRunningError, BrokenError, UsageError
from letterpress.events.codec import encode
from letterpress.events.personal_data import mask_text
from letterpress.events.types import Outcome
from letterpress.lake.ingest_lock import hold_ingest_lock
from letterpress.lake.ledger import pending_ranges
from letterpress.lake.residue import overwrite_names
from letterpress.lake.rewrite import raw_files
from letterpress.lake.subject import Subject
from letterpress.lake.tenant_keys import TenantKeys
from letterpress.lake.warehouse import connect_warehouse
from letterpress.orchestration.forget import forget
from letterpress.orchestration.ingest_landing import announce_ranges, ingest_landing
from letterpress.orchestration.look_after_lake import apply_retention, check_ledger, verify
from letterpress.settings import RetentionSettings, Settings

START = datetime(2026, 1, 5, tzinfo=UTC)
CLOCK = ManualClock(START + timedelta(days=2))
LEAVING, STAYING = "gone-travel", "staying-books"
PERSON = "h1:0123456789abcdef0123456789abcdef"


def outcome(tenant: str, hour: int, recipient: str | None = None, name: str = "e") -> bytes:
    return encode(
        Outcome(
            event_id=f"{name}-{hour}",
            tenant=tenant,
            recommender="image_enhancement",
            occurred_at=START + timedelta(hours=hour),
            slate_id="s1",
            item_id="i1",
            kind="clicked",
            recipient_id=recipient,
        )
    )


def both(hour: int) -> list[bytes]:
    """An event of each tenant."""
    return [outcome(tenant, hour, PERSON if hour == 3 else None) for tenant in (LEAVING, STAYING)]


def land(settings: Settings, name: str, lines: list[bytes]) -> None:
    settings.paths.landing.mkdir(parents=True, exist_ok=True)
    (settings.paths.landing / f"{name}.jsonl").write_bytes(b"\n".join([*lines, b""]))


def rows(settings: Settings) -> list[dict[str, Any]]:
    return [row for path in raw_files(settings.paths) for row in pq.read_table(path).to_pylist()]


@pytest.fixture
def lake(settings: Settings) -> Settings:
    """Two tenants in two hours, a person that both know, and a bad line of each."""
    lines = [
        line
        for tenant in (LEAVING, STAYING)
        for line in (
            outcome(tenant, 1),
            outcome(tenant, 3, PERSON),
            b'{"type": "nonsense", "tenant": "%s"}' % tenant.encode(),
        )
    ]
    land(settings, f"log-of-{LEAVING}", lines)
    landed = ingest_landing(settings, CLOCK)
    announce_ranges(settings, landed["ranges"], landed["batch"])
    return settings


def files_that_hold(root: Path, word: str) -> Iterator[str]:
    for path in root.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content += str(pq.read_table(path).to_pylist()).encode()
            if word.encode() in content or word in path.name:
                yield str(path.relative_to(root))


def test_a_tenant_leaves_raw_quarantine_and_ledger_and_nobody_else_does(lake: Settings) -> None:
    assert list(files_that_hold(lake.paths.root, LEAVING))
    done = forget(lake, Subject(LEAVING), clock=CLOCK)
    assert (done["raw_removed"], done["raw_unlinked"], done["quarantine_removed"]) == (2, 0, 1)
    assert list(files_that_hold(lake.paths.root, LEAVING)) == []
    assert {row["tenant"] for row in rows(lake)} == {STAYING}
    assert (done["left"], done["still_open"]) == ([], [])
    assert verify(lake)["differences"] == []


def test_the_hours_that_lost_rows_are_announced_again(lake: Settings) -> None:
    forget(lake, Subject(LEAVING), clock=CLOCK)
    assert [each.key for each in pending_ranges(lake.paths)] == [
        "2026-01-05T01--2026-01-05T02",
        "2026-01-05T03--2026-01-05T04",
    ]


def test_a_recipient_is_unlinked_and_its_events_stay_as_counts(lake: Settings) -> None:
    done = forget(lake, Subject(recipient=PERSON), clock=CLOCK)
    assert (done["raw_removed"], done["raw_unlinked"], done["retrain"]) == (0, 2, [])
    assert [row["recipient_id"] for row in rows(lake)] == [None] * 4
    assert list(files_that_hold(lake.paths.root, PERSON)) == []
    assert ingest_landing(lake, CLOCK)["ranges"] == []


def test_a_recipient_belongs_to_a_tenant(lake: Settings) -> None:
    assert forget(lake, Subject(LEAVING, PERSON), clock=CLOCK)["raw_unlinked"] == 1
    assert {row["tenant"] for row in rows(lake) if row["recipient_id"]} == {STAYING}


def test_the_same_events_imported_again_bring_no_recipient_back(lake: Settings) -> None:
    forget(lake, Subject(recipient=PERSON), clock=CLOCK)
    land(lake, "again", [outcome(LEAVING, 3, PERSON), outcome(STAYING, 3, PERSON)])
    ingest_landing(lake, CLOCK)
    assert [row["recipient_id"] for row in rows(lake)] == [None] * 4


@pytest.mark.parametrize("packed", ["as it was", "differently"])
def test_a_log_of_a_forgotten_tenant_brings_back_what_is_its_and_nothing_else(
    lake: Settings, packed: str
) -> None:
    again = [line for hour in (1, 3) for line in both(hour)]
    land(lake, "first", again)
    assert ingest_landing(lake, CLOCK)["duplicate"] == 4
    retention = RetentionSettings(outcome_days=2, identifier_days=None)
    apply_retention(
        lake.model_copy(update={"retention": retention}), ManualClock(START + timedelta(days=2, hours=2))
    )
    assert [row["occurred_at"].hour for row in rows(lake)] == [3, 3]
    forget(lake, Subject(LEAVING), clock=CLOCK)
    land(lake, "again", again if packed == "as it was" else again[::-1])
    (file,) = ingest_landing(lake, CLOCK)["files"]
    assert (file["read"], file["raw"], file["duplicate"]) == (4, 1, 3)
    assert [(row["tenant"], row["occurred_at"].hour) for row in rows(lake)] == [(LEAVING, 3), (STAYING, 3)]
    check_ledger(lake)
    assert verify(lake)["differences"] == []


ADDRESS = "zoe.quill@example.com"
UNDECLARED = {
    "type": "slate",
    "recommender": "image_enhancement",
    "occurred_at": "2026-01-05T04:00:00Z",
    "slate_id": f"for {ADDRESS}",
    "campaign": {"campaign_id": "c1", "labels": {"sent to": "u-4711", "size": "4711"}},
    "slot": "hero",
    "policy": "uniform",
    "items": [{"item_id": f"card of {ADDRESS}", "position": 1}, {"item_id": "i2", "position": 2}],
    "audience": {ADDRESS: [1, "u-4711"], "number": 4711, "note": 'to "u-4711", not xu-4711'},
}


@pytest.fixture
def mentioned(lake: Settings) -> Settings:
    """A slate of each tenant that names people where no field is declared for them."""
    both = [{**UNDECLARED, "tenant": tenant, "event_id": "s1"} for tenant in (LEAVING, STAYING)]
    land(lake, "undeclared", [json.dumps(each).encode() for each in both])
    landed = ingest_landing(lake, CLOCK)
    assert landed["raw"] == 2
    announce_ranges(lake, landed["ranges"], landed["batch"])
    return lake


def slates(settings: Settings) -> dict[str, Any]:
    return {row["tenant"]: row for row in rows(settings) if row.get("items")}


def token_of(settings: Settings, tenant: str, name: str) -> str:
    key = TenantKeys(settings.paths.keys).of(tenant).pseudonyms
    return mask_text(name, lambda: key, Counter())


@pytest.mark.parametrize("asked", [ADDRESS, ADDRESS.title()])
def test_an_address_leaves_every_text_of_raw_and_what_it_joined_still_joins(
    mentioned: Settings, asked: str
) -> None:
    tokens = [token_of(mentioned, tenant, ADDRESS) for tenant in (LEAVING, STAYING)]
    assert all(token in str(rows(mentioned)) for token in tokens)
    asked_for = Subject(LEAVING, asked)
    assert forget(mentioned, asked_for, clock=CLOCK, dry_run=True)["raw_overwritten"] == 1
    done = forget(mentioned, asked_for, clock=CLOCK)
    assert (done["raw_removed"], done["raw_unlinked"], done["raw_overwritten"]) == (0, 0, 1)
    assert done["left"] == []
    left = str(rows(mentioned))
    assert (tokens[0] in left, tokens[1] in left) == (False, True), "of the other tenant it stays"
    slate = slates(mentioned)[LEAVING]
    assert slate["slate_id"].removeprefix("for ") == slate["items"][0]["item_id"].removeprefix("card of ")
    assert [each.key for each in pending_ranges(mentioned.paths)] == ["2026-01-05T04--2026-01-05T05"]
    assert verify(mentioned)["differences"] == []
    assert forget(mentioned, asked_for, clock=CLOCK)["found"] is False


def test_a_name_that_is_no_word_leaves_labels_and_unknown_fields(mentioned: Settings) -> None:
    done = forget(mentioned, Subject(recipient="u-4711"), clock=CLOCK)
    assert (done["raw_overwritten"], done["left"]) == (2, [])
    slate = slates(mentioned)[LEAVING]
    extra = json.loads(slate["extra"])
    assert "xu-4711" in extra["audience"]["note"]
    assert extra["audience"]["number"] == 4711
    assert dict(slate["campaign"]["labels"])["size"] == "4711"
    assert ingest_landing(mentioned, CLOCK)["ranges"] == ["2026-01-05T04--2026-01-05T05"]


def test_a_small_number_leaves_unknown_fields_and_is_told_of_where_it_may_be_another_thing(
    mentioned: Settings,
) -> None:
    done = forget(mentioned, Subject(recipient="4711"), clock=CLOCK)
    slate = slates(mentioned)[LEAVING]
    assert "4711" not in slate["extra"]
    assert done["left"] == ["raw: 2 slate events in campaign"]
    assert dict(slate["campaign"]["labels"])["size"] == "4711"


def test_an_everyday_name_takes_no_slot_along(mentioned: Settings) -> None:
    done = forget(mentioned, Subject(recipient="hero"), clock=CLOCK)
    assert (done["raw_overwritten"], done["left"]) == (0, ["raw: 2 slate events in slot"])
    assert slates(mentioned)[STAYING]["slot"] == "hero"


def test_what_is_left_of_a_tenant_in_rows_of_another_is_told(lake: Settings) -> None:
    of_another = {**UNDECLARED, "tenant": STAYING, "event_id": "s2", "partner": LEAVING}
    land(lake, "of-another", [json.dumps(of_another).encode()])
    assert forget(lake, Subject(LEAVING), clock=CLOCK)["left"] == ["raw: 1 slate events in extra"]


def test_what_waits_in_landing_is_forgotten_too(lake: Settings) -> None:
    land(lake, "waiting", [outcome(LEAVING, 5, name="late")])
    assert forget(lake, Subject(LEAVING), clock=CLOCK)["raw_removed"] == 3


def test_the_certificate_says_what_happened_and_names_nobody(lake: Settings) -> None:
    done = forget(lake, Subject(LEAVING), clock=CLOCK)
    page = Path(done["certificate"])
    record = json.loads(page.with_suffix(".json").read_bytes())
    assert done["request"] in page.read_text()
    assert LEAVING not in page.read_text() + page.with_suffix(".json").read_text()
    assert all(len(each["sha256_before"]) == len(each["sha256_after"]) == 64 for each in record["files"])
    assert {each["path"].split("/")[0] for each in record["files"]} == {"raw", "quarantine"}


def test_again_finds_nothing_and_keeps_the_certificate(lake: Settings) -> None:
    first = forget(lake, Subject(LEAVING), clock=CLOCK)
    again = forget(lake, Subject(LEAVING), clock=CLOCK)
    assert (again["request"], again["found"], again["raw_removed"]) == (first["request"], False, 0)
    assert len(list((lake.paths.site / "forgetting").glob("*.json"))) == 1


def test_a_subject_that_nobody_knows_is_certified_as_not_found(lake: Settings) -> None:
    done = forget(lake, Subject("never-was-here"), clock=CLOCK)
    assert (done["found"], done["files"]) == (False, [])
    assert "Nothing was found" in Path(done["certificate"]).read_text()


def test_a_dry_run_counts_and_changes_nothing(lake: Settings) -> None:
    before = rows(lake)
    done = forget(lake, Subject(LEAVING), clock=CLOCK, dry_run=True)
    assert (done["raw_removed"], done["quarantine_removed"]) == (2, 1)
    assert rows(lake) == before
    assert verify(lake)["differences"] == []


def test_logs_and_pages_lose_the_name_and_keep_their_length(lake: Settings) -> None:
    log = lake.paths.log / "service.log"
    log.parent.mkdir(parents=True)
    log.write_text(f"asked by {LEAVING}, not by {LEAVING}ers\n")
    done = forget(lake, Subject(LEAVING), clock=CLOCK)
    assert done["texts"] == {"files": 1, "places": 1}
    assert log.read_text() == f"asked by {'x' * len(LEAVING)}, not by {LEAVING}ers\n"


@pytest.mark.parametrize("name", ["model", "true", "body", "null"])
def test_a_tenant_with_an_everyday_name_breaks_no_document(settings: Settings, name: str) -> None:
    folder = settings.paths.registry / "verdicts"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(f'{{"model": "a/1", "body": null, "ok": true, "says": "not {name}, but"}}')
    settings.paths.site.mkdir(parents=True)
    page = f'<body class="{name}"><script>let model = true;</script><p title="{name}">of {name}</p></body>'
    (settings.paths.site / "page.html").write_text(page)
    assert overwrite_names(settings.paths, Subject(name)) == (2, 3)
    gone = "x" * len(name)
    read = json.loads((folder / "1.json").read_text())
    assert read == {"model": "a/1", "body": None, "ok": True, "says": f"not {gone}, but"}
    changed = page.replace(f'title="{name}">of {name}', f'title="{gone}">of {gone}')
    assert (settings.paths.site / "page.html").read_text() == changed


def test_another_writer_is_refused_before_anything_changes(lake: Settings) -> None:
    with (
        hold_ingest_lock(lake.paths, 1.0),
        pytest.raises(AlreadyRunningError),
    ):
        forget(lake, Subject(LEAVING), clock=CLOCK, wait_seconds=0.1, dry_run=True)
    held = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    with connect_warehouse(lake.paths, read_only=False, threads=1):
        pass
    holder = subprocess.Popen(
        [sys.executable, "-c", held, str(lake.paths.warehouse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline()
        with pytest.raises(BrokenError, match="another process"):
            forget(lake, Subject(LEAVING), clock=CLOCK)
    finally:
        holder.communicate()
    assert len(rows(lake)) == 4


def test_the_command_wants_somebody_to_forget(
    lake: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LETTERPRESS_HOME", str(lake.home))
    assert run_app(build_app(), ["forget"]) == 2
    assert run_app(build_app(), ["forget", "--tenant", LEAVING, "--json"]) == 0
    assert '"raw_removed": 2' in capsys.readouterr().out
    assert "forgetting/" in (lake.paths.site / "index.html").read_text()
    with pytest.raises(UsageError):
        Subject("")


KILLED_AT = (
    "letterpress.lake.rewrite.sync_paths",
    "letterpress.lake.rewrite.finish_moves",
    "letterpress.lake.rewrite.drop_empty_files",
    "letterpress.orchestration.forget._models",
    "letterpress.orchestration.forget.overwrite_names",
    "letterpress.orchestration.forget.finish",
)
KILLED_RUN = """
import importlib, os, signal, sys
from letterpress.lake.subject import Subject
from letterpress.orchestration import forget
from letterpress.settings import RetentionSettings, Settings
home, place, tenant = sys.argv[1:]
module, _, name = place.rpartition(".")
setattr(importlib.import_module(module), name, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
forget.forget(Settings(home=home), Subject(tenant))
"""


@pytest.mark.parametrize("place", KILLED_AT)
def test_killed_anywhere_the_next_run_completes_it_with_all_the_numbers(lake: Settings, place: str) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_RUN, str(lake.home), place, LEAVING], check=False, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    done = forget(lake, Subject(LEAVING), clock=CLOCK)
    assert (done["raw_removed"], done["quarantine_removed"], done["left"]) == (2, 1, [])
    assert list(files_that_hold(lake.paths.root, LEAVING)) == []
    assert len(list((lake.paths.site / "forgetting").glob("*.json"))) == 1
    assert verify(lake)["differences"] == []
