"""Every critical expectation catches the fault that it is for, by name, and clean data passes."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from letterpress.cli import main
from letterpress.clock import ManualClock
from letterpress.errors import GateFailedError, StorageError
from letterpress.events.types import AnyEvent, CampaignContext, Interaction, Outcome, ShownItem, Slate
from letterpress.lake.partitions import HourRange
from letterpress.lake.raw_log_facts import RAW_FACTS, make_raw_log_tables
from letterpress.lake.raw_schema import RAW_SCHEMAS, partition_path
from letterpress.orchestration.run_gate import document_gates, run_raw_log_gate
from letterpress.quality.duckdb_dialect import keep_duckdb_connections
from letterpress.quality.last_results import read_last_results
from letterpress.quality.suites import read_suite
from letterpress.settings import Settings

WriteRaw = Callable[[Path, list[AnyEvent]], None]
Rows = list[dict[str, Any]]
GateFailures = Callable[..., dict[str, str]]
RawFailures = Callable[..., dict[str, str]]

RECOMMENDER = "image_enhancement"
AT = datetime(2026, 1, 5, 3, tzinfo=UTC)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*")
HOURS = HourRange.parse("2026-01-05T03--2026-01-05T04")
CLOCK = ManualClock(datetime(2026, 1, 6, tzinfo=UTC))


def clean_log(n_slates: int = 20) -> list[AnyEvent]:
    """Slates of four places; the first place of each is chosen, delivered and clicked."""
    return [event for number in range(n_slates) for event in _slate_with_feedback(number)]


def _slate_with_feedback(number: int) -> list[AnyEvent]:
    at = AT + timedelta(minutes=2 * number)
    envelope: dict[str, Any] = {
        "tenant": f"tenant-{number % 3}",
        "recommender": RECOMMENDER,
        "occurred_at": at,
        "received_at": at + timedelta(seconds=2),
    }
    places = [
        ShownItem(item_id=f"item-{number}-{place}", position=place, propensity=0.25) for place in (1, 2, 3, 4)
    ]
    campaign = CampaignContext(campaign_id=f"campaign-{number % 5}")
    slate: dict[str, Any] = {"slate_id": f"slate-{number}", **envelope}
    first: dict[str, Any] = {"item_id": f"item-{number}-1", **slate}
    return [
        Slate(
            event_id=f"s-{number}", campaign=campaign, slot="hero", policy="explore", items=places, **slate
        ),
        Interaction(event_id=f"i-{number}", action="chosen", **first),
        Outcome(event_id=f"d-{number}", kind="delivered", count=1000, **first),
        Outcome(event_id=f"c-{number}", kind="clicked", count=12, **first),
    ]


def rewrite(raw: Path, event: str, edit: Callable[[Rows], None]) -> None:
    """Edit the rows of one raw file, as no codec would let them through."""
    path = partition_path(raw, RECOMMENDER, "2026-01-05T03", event)
    rows = pq.read_table(path, partitioning=None).to_pylist()
    edit(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=RAW_SCHEMAS[event]), path)


def put(column: str, value: Any) -> Callable[[Rows], None]:
    return lambda rows: rows[0].update({column: value})


def put_in_first_place(column: str, value: Any) -> Callable[[Rows], None]:
    return lambda rows: rows[0]["items"][0].update({column: value})


def shift_day(rows: Rows) -> None:
    rows[0]["occurred_at"] += timedelta(days=1)
    rows[0]["received_at"] += timedelta(days=1)


def repeat_an_event(rows: Rows) -> None:
    rows.append(rows[0])


def set_clocks_ahead(rows: Rows) -> None:
    for row in rows:
        row["received_at"] = row["occurred_at"] - timedelta(hours=1)


def count_from_zero(rows: Rows) -> None:
    for item in rows[0]["items"]:
        item["position"] -= 1


def click_too_often(rows: Rows) -> None:
    for row in rows:
        row["count"] = 900_000 if row["kind"] == "clicked" else row["count"]


RAW_FAULTS: dict[str, tuple[str, Callable[[Rows], None]]] = {
    "raw_events.event_ids_are_present": ("interaction", put("event_id", None)),
    "raw_keys.event_ids_are_unique": ("interaction", repeat_an_event),
    "raw_events.tenants_are_present": ("outcome", put("tenant", None)),
    "raw_events.occurrence_times_are_present": ("interaction", put("occurred_at", None)),
    "raw_events.arrival_times_are_present": ("slate", put("received_at", None)),
    "raw_events.clocks_agree": ("interaction", set_clocks_ahead),
    "raw_events.events_are_in_their_hour": ("outcome", shift_day),
    "raw_keys.slate_ids_are_unique": ("slate", put("slate_id", "slate-3")),
    "raw_slates.positions_have_no_gaps": ("slate", put_in_first_place("position", 5)),
    "raw_slate_items.item_ids_are_present": ("slate", put_in_first_place("item_id", None)),
    "raw_slate_items.positions_start_at_one": ("slate", count_from_zero),
    "raw_slate_items.propensities_are_probabilities": ("slate", put_in_first_place("propensity", 1.5)),
    "raw_interactions.actions_are_known": ("interaction", put("action", "liked")),
    "raw_outcomes.outcome_kinds_are_known": ("outcome", put("kind", "forwarded")),
    "raw_outcomes.outcome_counts_are_not_negative": ("outcome", put("count", -1)),
    "raw_outcome_totals.clicks_do_not_exceed_deliveries": ("outcome", click_too_often),
}


def test_a_fault_is_planted_for_every_critical_expectation() -> None:
    critical = {
        f"{table}.{each.name}"
        for table, expectations in read_suite(Settings().project, "raw_log").tables.items()
        for each in expectations
        if each.severity == "critical"
    }

    beside_the_past = {name for name in critical if name.partition(".")[0] in RAW_FACTS}
    assert set(RAW_FAULTS) | beside_the_past == critical


@pytest.fixture
def raw_failures(gate_failures: GateFailures, settings: Settings, tmp_path: Path) -> RawFailures:
    """Runs the gate on the raw log and gives the severity of every expectation that failed."""
    databases = (tmp_path / f"views-{number}.duckdb" for number in itertools.count())

    def run(*only: str) -> dict[str, str]:
        database = next(databases)
        made = make_raw_log_tables(settings.paths, HOURS, database)
        return gate_failures("raw_log", database, made, only)

    return run


def test_a_clean_log_passes_without_a_warning(
    raw_failures: RawFailures, settings: Settings, write_raw: WriteRaw
) -> None:
    write_raw(settings.paths.raw, clean_log())

    assert raw_failures() == {}


def test_a_log_of_single_slots_at_any_position_passes(
    raw_failures: RawFailures, settings: Settings, write_raw: WriteRaw
) -> None:
    slates = [event for event in clean_log() if isinstance(event, Slate)]
    write_raw(
        settings.paths.raw, [msgspec.structs.replace(slate, items=[slate.items[2]]) for slate in slates]
    )

    assert raw_failures() == {}


def test_two_tenants_may_use_the_same_ids(
    raw_failures: RawFailures, settings: Settings, write_raw: WriteRaw
) -> None:
    log = clean_log()
    others = [msgspec.structs.replace(event, tenant=f"{event.tenant}-too") for event in log]
    write_raw(settings.paths.raw, log + others)

    assert raw_failures() == {}


@pytest.mark.parametrize("name", RAW_FAULTS)
def test_a_fault_in_the_raw_log_is_caught_by_name(
    name: str, raw_failures: RawFailures, settings: Settings, write_raw: WriteRaw
) -> None:
    write_raw(settings.paths.raw, clean_log())
    event, edit = RAW_FAULTS[name]
    rewrite(settings.paths.raw, event, edit)

    found = raw_failures(name.partition(".")[0])

    assert [failed for failed, severity in found.items() if severity == "critical"] == [name]


def test_an_empty_range_is_refused(raw_failures: RawFailures) -> None:
    found = raw_failures()

    assert found == {"raw_presence.events_arrived": "critical", "raw_slates.slates_arrived": "warning"}


def test_missing_propensities_warn_only(
    raw_failures: RawFailures, settings: Settings, write_raw: WriteRaw
) -> None:
    write_raw(settings.paths.raw, clean_log())
    rewrite(settings.paths.raw, "slate", put_in_first_place("propensity", None))

    assert raw_failures() == {"raw_slate_items.propensities_are_logged": "warning"}


def test_clicks_of_a_late_hour_are_compared_with_earlier_deliveries(
    raw_failures: RawFailures, settings: Settings, write_raw: WriteRaw
) -> None:
    clicked = [event for event in clean_log() if isinstance(event, Outcome) and event.kind == "clicked"]
    delivered = [
        msgspec.structs.replace(event, occurred_at=event.occurred_at - timedelta(days=2))
        for event in clean_log()
        if isinstance(event, Outcome) and event.kind == "delivered"
    ]
    shown = [
        msgspec.structs.replace(event, occurred_at=event.occurred_at - timedelta(days=2))
        for event in clean_log()
        if isinstance(event, Slate)
    ]
    write_raw(settings.paths.raw, [*clicked, *delivered, *shown])

    assert raw_failures() == {"raw_slates.slates_arrived": "warning"}


def test_a_refusal_names_gate_expectation_counts_and_page_and_is_kept(
    settings: Settings, write_raw: WriteRaw
) -> None:
    write_raw(settings.paths.raw, clean_log())
    rewrite(settings.paths.raw, "outcome", put("count", -1))

    with pytest.raises(GateFailedError) as refusal:
        run_raw_log_gate(settings, HOURS.key, CLOCK)

    document_gates(settings)
    sentence = str(refusal.value)
    assert f"gate raw_log refused {HOURS.key}: raw_outcomes.outcome_counts_are_not_negative" in sentence
    assert "found 1 of 40 rows" in sentence
    page = sentence.partition("/data-docs/")[2].partition(",")[0]
    assert (settings.paths.site / "data-docs" / page).is_file()
    (kept,) = read_last_results(settings.paths)
    assert kept["failed_critical"][0]["expectation"] == "outcome_counts_are_not_negative"


def test_the_command_ends_with_one_and_one_json_document_when_refused(
    settings: Settings,
    write_raw: WriteRaw,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_raw(settings.paths.raw, clean_log())
    rewrite(settings.paths.raw, "interaction", put("tenant", None))
    monkeypatch.setenv("LETTERPRESS_HOME", str(settings.home))
    monkeypatch.setattr(sys, "argv", ["letterpress", "validate", "--gate", "raw_log", "--json"])

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 1
    assert (
        "raw_events.tenants_are_present found 1 of 80 rows" in json.loads(capsys.readouterr().out)["detail"]
    )


def test_a_damaged_raw_file_is_named_instead_of_being_skipped(
    settings: Settings, write_raw: WriteRaw
) -> None:
    write_raw(settings.paths.raw, clean_log())
    partition_path(settings.paths.raw, RECOMMENDER, "2026-01-05T03", "slate").write_bytes(b"not parquet")

    with pytest.raises(StorageError, match=r"slate\.parquet"):
        run_raw_log_gate(settings, HOURS.key, CLOCK)


def test_great_expectations_still_needs_its_duckdb_connection_kept(
    raw_failures: RawFailures, monkeypatch: pytest.MonkeyPatch, settings: Settings, write_raw: WriteRaw
) -> None:
    """When this fails, the library reads DuckDB by itself: delete quality/duckdb_dialect.py and this test."""
    from great_expectations.execution_engine import sqlalchemy_execution_engine as engine

    keep_duckdb_connections()
    kept = engine._PERSISTED_CONNECTION_DIALECTS
    write_raw(settings.paths.raw, clean_log())
    assert raw_failures("raw_events") == {}

    without = tuple(dialect for dialect in kept if dialect != "duckdb")
    monkeypatch.setattr(engine, "_PERSISTED_CONNECTION_DIALECTS", without)
    assert "raw_events.event_ids_are_present" in raw_failures("raw_events")
