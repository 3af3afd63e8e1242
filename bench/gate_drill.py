"""The bad-data drill: damage of one scenario at a time on its way through ingest and the gates on the log.

Used by the benchmark and by the tests. The weeks before are those of a steady log, told again one, two and
three weeks earlier, so that what is usual is known without a month of simulation.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from letterpress.clock import ManualClock
from letterpress.events.types import EVENT_NAMES
from letterpress.lake.partitions import HourRange
from letterpress.lake.raw_schema import partition_path
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.orchestration.look_after_lake import check_ledger
from letterpress.quality.findings import GateResult
from letterpress.quality.gate import check_raw_log
from letterpress.recommenders import RECOMMENDERS
from letterpress.settings import Settings
from letterpress.simulation.simulate import Plan, Summary, simulate

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
DAYS, SLATES = 3, 600
WEEK = timedelta(days=7)
WEEKS = 3
END = BEGIN + timedelta(days=DAYS)
RANGE = HourRange(BEGIN + timedelta(days=1), END)
"""Without the first day, to which the outcomes of the day before are lacking."""
RECOMMENDER = "image_enhancement"
VOCABULARIES = {name: dict(each.vocabularies) for name, each in RECOMMENDERS.items()}

Caught = Mapping[str, str]
"""Severity by `table.expectation`."""

DAMAGE: dict[str, Caught] = {
    "steady": {},
    "corrupt": {"raw_arrivals.hardly_any_line_is_quarantined": "warning"},
    "duplicates": {"raw_arrivals.hardly_any_line_is_repeated": "warning"},
    "lossy": {
        "raw_volume.no_hour_or_day_is_missing": "critical",
        "raw_volume.volume_is_usual": "warning",
        "raw_references.every_reaction_has_its_slate": "warning",
    },
    "schema-change": {
        "raw_arrivals.hardly_any_line_is_quarantined": "warning",
        "raw_arrivals.senders_speak_the_known_schema": "warning",
    },
    "clock-skew": {
        "raw_events.clocks_agree": "critical",
        "raw_events.no_clock_is_ahead": "warning",
        "raw_clocks.no_clock_is_behind": "warning",
    },
}
"""What each scenario must be caught by; nothing else may be said of it."""


@dataclass(frozen=True, slots=True)
class Drill:
    """What became of the log of one scenario."""

    summary: Summary
    ingested: dict[str, Any]
    said: GateResult

    @property
    def caught(self) -> dict[str, str]:
        findings = [*self.said.failed_critical, *self.said.warnings]
        return {f"{each.table}.{each.expectation}": each.severity for each in findings}


def write_weeks_before(folder: Path, *, seed: int) -> Path:
    """The raw log of three weeks that were like the drill's days; its folder."""
    settings = Settings(home=folder)
    _ingest(settings, "steady", seed)
    weeks = folder / "weeks"
    for event in EVENT_NAMES:
        files = sorted(settings.paths.raw.glob(f"recommender={RECOMMENDER}/hour=*/{event}.parquet"))
        table = pa.concat_tables([pq.read_table(file, partitioning=None) for file in files])
        for week in range(1, WEEKS + 1):
            _write_days(weeks, event, _tell_again(table, week))
    return weeks


def _tell_again(table: pa.Table, week: int) -> pa.Table:
    """The rows as they would have come some weeks earlier."""
    for name in ("occurred_at", "received_at"):
        earlier = pc.subtract(table[name], pa.scalar(week * WEEK, pa.duration("us")))
        table = table.set_column(table.column_names.index(name), name, earlier)
    for name in {"event_id", "slate_id"} & set(table.column_names):
        renamed = pc.binary_join_element_wise(f"w{week}", table[name], "-")
        table = table.set_column(table.column_names.index(name), name, renamed)
    return table


def _write_days(raw: Path, event: str, table: pa.Table) -> None:
    days = pc.strftime(table["occurred_at"], "%Y-%m-%d")
    for day in sorted(set(days.to_pylist())):
        path = partition_path(raw, RECOMMENDER, day, event)
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = table.filter(pc.equal(days, day))
        if path.exists():
            rows = pa.concat_tables([pq.read_table(path, partitioning=None), rows])
        pq.write_table(rows, path)


def run_drill(
    scenario: str, weeks: Path, folder: Path, *, seed: int, go_on: Callable[[Settings], None] | None = None
) -> Drill:
    """Bring the log of `scenario` through ingest, its ledger, and the gate on the raw log.

    `go_on` does what comes next with the scenario's own days: the weeks before hold copies of them.
    """
    settings = Settings(home=folder)
    summary, ingested = _ingest(settings, scenario, seed)
    check_ledger(settings)
    if go_on is not None:
        go_on(settings)
    shutil.copytree(weeks, settings.paths.raw, dirs_exist_ok=True)
    said = check_raw_log(settings, RANGE, ManualClock(END), VOCABULARIES)
    return Drill(summary, ingested, said)


def _ingest(settings: Settings, scenario: str, seed: int) -> tuple[Summary, dict[str, Any]]:
    landing = settings.paths.landing
    summary = simulate(Plan(DAYS, SLATES, seed, scenario, BEGIN), landing, processes=1)
    shutil.rmtree(landing / "truth")
    return summary, ingest_landing(settings, ManualClock(END))
