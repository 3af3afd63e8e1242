"""Every critical expectation that holds the raw log against the weeks before catches its fault, by name."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from letterpress.lake.ledger import FileEntry, FileReport, commit_batch, open_ledger
from letterpress.lake.partitions import HourRange
from letterpress.lake.raw_log_facts import RAW_FACTS, RawLogContext, make_raw_log_tables
from letterpress.lake.raw_schema import RAW_SCHEMAS, ensure_anchors, partition_path
from letterpress.lake.removed_hours import record_removed
from letterpress.quality.suites import read_suite
from letterpress.settings import Home, Settings

GateFailures = Callable[..., dict[str, str]]
RawFailures = Callable[..., dict[str, str]]
Rows = list[dict[str, Any]]
Edit = Callable[[Home], None]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*")
RECOMMENDER = "image_enhancement"
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 24
RANGE = HourRange(BEGIN + timedelta(days=DAYS - 2), BEGIN + timedelta(days=DAYS - 1))
SLATES = 20
KINDS = ("delivered",) * 40 + ("opened",) * 20 + ("clicked",) * 5
CONTEXT = RawLogContext(
    BEGIN + timedelta(days=DAYS), {RECOMMENDER: {"industry": ("food", "travel"), "segment": ("new",)}}
)


def envelope(event_id: str, at: datetime) -> dict[str, Any]:
    return {"event_id": event_id, "tenant": "tenant", "occurred_at": at, "received_at": at, "version": 2}


def day_of(number: int) -> dict[str, Rows]:
    """Twenty slates an hour, and what recipients did with their first items."""
    rows: dict[str, Rows] = {"slate": [], "outcome": []}
    for hour in range(24):
        at = BEGIN + timedelta(days=number, hours=hour, minutes=5)
        for place in range(SLATES):
            slate_id = f"slate-{number}-{hour}-{place}"
            campaign = {"campaign_id": "c", "industry": ("food", "travel")[place % 2], "segment": "new"}
            items = [{"item_id": f"item-{place}", "position": 1, "propensity": 0.5}]
            slate = {"slate_id": slate_id, "campaign": campaign, "slot": "hero", "policy": "uniform"}
            rows["slate"].append({**envelope(slate_id, at), **slate, "items": items})
        for count, kind in enumerate(KINDS):
            place = count % SLATES
            about = {"slate_id": f"slate-{number}-{hour}-{place}", "item_id": f"item-{place}"}
            outcome = {**about, "kind": kind, "count": 1}
            rows["outcome"].append({**envelope(f"o-{number}-{hour}-{count}", at), **outcome})
    return rows


def path_of(home: Home, event: str, number: int) -> Path:
    return partition_path(home.raw, RECOMMENDER, f"{BEGIN + timedelta(days=number):%Y-%m-%d}", event)


def write(path: Path, event: str, rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=RAW_SCHEMAS[event]), path)


def edit_rows(event: str, change: Callable[[Rows], Rows]) -> Edit:
    """Change what the day of the range holds."""

    def edit(home: Home) -> None:
        path = path_of(home, event, DAYS - 2)
        write(path, event, change(pq.read_table(path, partitioning=None).to_pylist()))

    return edit


def lose_an_hour(home: Home) -> None:
    for event in ("slate", "outcome"):
        edit_rows(event, lambda rows: [row for row in rows if row["occurred_at"].hour != 7])(home)


def thin_an_hour(home: Home) -> None:
    """One event of six is left."""

    def thin(rows: Rows) -> Rows:
        return [row for place, row in enumerate(rows) if row["occurred_at"].hour != 7 or place % 6 == 0]

    for event in ("slate", "outcome"):
        edit_rows(event, thin)(home)


def answer_a_large_campaign(rows: Rows) -> Rows:
    """Two thousand openings of one e-mail within an hour in which sixty-five outcomes are usual."""
    sent = next(row for row in rows if row["occurred_at"].hour == 7)
    return rows + [{**sent, "event_id": f"opened-{count}", "kind": "opened"} for count in range(2000)]


def lose_the_day(home: Home) -> None:
    shutil.rmtree(path_of(home, "slate", DAYS - 2).parent)


def let_go_of_the_day(home: Home) -> None:
    lose_the_day(home)
    with open_ledger(home) as ledger:
        record_removed(ledger, [(RECOMMENDER, RANGE.key.partition("--")[0])])


def stop_deliveries(rows: Rows) -> Rows:
    return [{**row, "kind": "unsubscribed" if row["kind"] == "delivered" else row["kind"]} for row in rows]


def set_context(**values: str | None) -> Callable[[Rows], Rows]:
    return lambda rows: [{**row, "campaign": {**row["campaign"], **values}} for row in rows]


def forget_slates(rows: Rows) -> Rows:
    return [{**row, "slate_id": f"another-{row['slate_id']}"} for row in rows]


def quarantine(share: float, *, repeated: float = 0.0) -> Edit:
    def edit(home: Home) -> None:
        bad, again = round(1000 * share), round(1000 * repeated)
        report = FileReport("log.jsonl", 1000, 1000 - bad - again, again, bad, {"not_json": bad})
        hours = {(RECOMMENDER, RANGE.key.partition("--")[0]): RANGE.start}
        commit_batch(home, [FileEntry(report, "0" * 64, 1)], hours, [], RANGE.end)

    return edit


FAULTS: dict[str, Edit] = {
    "raw_presence.events_arrived": lose_the_day,
    "raw_volume.no_hour_or_day_is_missing": lose_an_hour,
    "raw_mixture.kinds_of_events_are_in_proportion": edit_rows("outcome", stop_deliveries),
    "raw_categories.categories_are_known": edit_rows("slate", set_context(industry="Food & Drink")),
    "raw_categories.context_is_told": edit_rows("slate", set_context(segment=None)),
    "raw_references.reactions_belong_to_slates": edit_rows("slate", forget_slates),
    "raw_arrivals.most_lines_are_events": quarantine(0.3),
}
WARNINGS: dict[str, Edit] = {
    "raw_volume.volume_is_usual": thin_an_hour,
    "raw_mixture.kinds_of_events_move_slowly": edit_rows(
        "outcome",
        lambda rows: [row for row in rows if row["occurred_at"].hour < 5 or row["kind"] != "opened"],
    ),
    "raw_clocks.no_clock_is_behind": edit_rows(
        "slate",
        lambda rows: [{**row, "received_at": row["received_at"] + timedelta(hours=3)} for row in rows],
    ),
    "raw_arrivals.hardly_any_line_is_quarantined": quarantine(0.01),
    "raw_arrivals.hardly_any_line_is_repeated": quarantine(0.0, repeated=0.02),
    "raw_arrivals.senders_speak_the_known_schema": edit_rows(
        "slate", lambda rows: [{**row, "extra": '{"theme":"autumn"}'} for row in rows]
    ),
}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """More than three weeks of a log without anything odd, a file a day."""
    home = Home(root=tmp_path_factory.mktemp("history"))
    ensure_anchors(home.raw)
    for number in range(DAYS):
        for event, rows in day_of(number).items():
            write(path_of(home, event, number), event, rows)
    return home


@pytest.fixture
def raw_failures(gate_failures: GateFailures, history: Home, tmp_path: Path) -> RawFailures:
    """Runs the gate on one day beside three weeks before, after an edit; only facts are looked at."""

    def run(edit: Edit = lambda _: None, *only: str, context: RawLogContext = CONTEXT) -> dict[str, str]:
        home = Home(root=tmp_path / "home")
        shutil.copytree(history.raw, home.raw)
        edit(home)
        database = tmp_path / "views.duckdb"
        made = make_raw_log_tables(home, RANGE, database, context)
        return gate_failures("raw_log", database, made, only or RAW_FACTS)

    return run


def test_a_fault_is_planted_for_every_critical_expectation() -> None:
    tables = read_suite(Settings().project, "raw_log").tables
    critical = {
        f"{table}.{each.name}" for table in RAW_FACTS for each in tables[table] if each.severity == "critical"
    }

    assert set(FAULTS) == critical


def test_a_day_like_the_others_passes_without_a_warning(raw_failures: RawFailures) -> None:
    assert raw_failures() == {}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_beside_the_past_is_caught_by_name(name: str, raw_failures: RawFailures) -> None:
    found = raw_failures(FAULTS[name], name.partition(".")[0])

    assert [failed for failed, severity in found.items() if severity == "critical"] == [name]


@pytest.mark.parametrize("name", WARNINGS)
def test_what_is_only_odd_warns(name: str, raw_failures: RawFailures) -> None:
    assert raw_failures(WARNINGS[name], name.partition(".")[0]) == {name: "warning"}


def test_one_large_campaign_is_neither_volume_nor_mixture_that_is_unusual(raw_failures: RawFailures) -> None:
    assert raw_failures(edit_rows("outcome", answer_a_large_campaign), "raw_volume", "raw_mixture") == {}


def test_a_day_that_was_removed_on_purpose_is_no_log_that_stopped(raw_failures: RawFailures) -> None:
    assert raw_failures(let_go_of_the_day, "raw_presence") == {}


def test_a_log_that_ended_four_days_ago_warns(raw_failures: RawFailures, history: Home) -> None:
    late = RawLogContext(RANGE.end + timedelta(days=5))

    def drop_the_last_day(home: Home) -> None:
        for event in ("slate", "outcome"):
            path_of(home, event, DAYS - 1).unlink()
            path_of(home, event, DAYS - 1).parent.rmdir() if event == "outcome" else None

    assert raw_failures(drop_the_last_day, "raw_freshness", context=late) == {
        "raw_freshness.the_log_goes_on": "warning"
    }


def test_with_two_weeks_of_past_nothing_is_said_of_volume(raw_failures: RawFailures) -> None:
    def forget_the_first_week(home: Home) -> None:
        lose_an_hour(home)
        for number in range(7):
            shutil.rmtree(path_of(home, "slate", number).parent)

    assert raw_failures(forget_the_first_week, "raw_volume", "raw_mixture") == {}


def test_an_old_archive_is_no_past_to_compare_with(raw_failures: RawFailures) -> None:
    def keep_an_old_day_instead_of_the_first_week(home: Home) -> None:
        lose_an_hour(home)
        old = path_of(home, "slate", 0).parent
        for number in range(1, 7):
            shutil.rmtree(path_of(home, "slate", number).parent)
        old.rename(old.with_name("hour=2019-11-24"))

    assert raw_failures(keep_an_old_day_instead_of_the_first_week, "raw_volume", "raw_mixture") == {}
