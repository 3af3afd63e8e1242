"""Every scenario has its effect, with a number, and leaves the rest as it is in `steady`."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from letterpress.events.codec import MalformedEventError, decode_line
from letterpress.simulation.damage import DAMAGES
from letterpress.simulation.faults import CLOCK_SKEW, LATE_HOURS, LOST_HOUR
from letterpress.simulation.simulate import SCENARIOS, Plan, Summary, simulate
from letterpress.simulation.truth import Truth

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
DAYS, DRIFT_DAY, SLATES = 6, 3, 700
DRIFT = START + timedelta(days=DRIFT_DAY)
HOUR = timedelta(hours=1)


@dataclass
class Log:
    """A simulated log, read without the codec, which would hide what is unknown to it."""

    summary: Summary
    truth: Truth

    @cached_property
    def lines(self) -> list[bytes]:
        return [line for path in self.summary.files for line in read_lines(path)]

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        return [event | {"at": parse(event["occurred_at"])} for event in map(json.loads, self.lines)]

    def of(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["type"] == name]

    def before_drift(self) -> set[bytes]:
        """Lines that arrived before the day of the drift."""
        return {line for path in self.summary.files[:DRIFT_DAY] for line in read_lines(path)}


def read_lines(path: Path) -> list[bytes]:
    return gzip.decompress(path.read_bytes()).splitlines()


def parse(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Log]:
    """One log a scenario, of one seed."""
    made = {}
    for scenario in SCENARIOS:
        out = tmp_path_factory.mktemp(scenario)
        summary = simulate(Plan(DAYS, SLATES, 5, scenario, START), out)
        made[scenario] = Log(summary, Truth.open(out))
    return made


@pytest.fixture(scope="module")
def steady(logs: dict[str, Log]) -> Log:
    return logs["steady"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_what_truth_planted_is_what_lies_in_the_files(logs: dict[str, Log], scenario: str) -> None:
    log = logs[scenario]
    assert {name: log.truth.facts[name] for name in log.summary.planted()} == log.summary.planted()
    assert len(log.lines) == (
        log.summary.n_events + log.summary.damaged.total() + log.summary.duplicates.total()
    )
    codes: Counter[str] = Counter()
    for line in log.lines:
        try:
            decode_line(line)
        except MalformedEventError as error:
            codes[error.code] += 1
    assert codes == log.summary.damaged


@pytest.mark.parametrize(
    "scenario", ["covariate-drift", "concept-drift-abrupt", "concept-drift-gradual", "schema-change"]
)
def test_what_drifts_is_steady_until_the_moment_that_truth_names(
    logs: dict[str, Log], steady: Log, scenario: str
) -> None:
    log = logs[scenario]
    assert log.truth.facts["drift_at"] == DRIFT.isoformat()
    assert log.before_drift() == steady.before_drift()
    assert set(log.lines) != set(steady.lines)


@pytest.mark.parametrize("scenario", ["bots", "late", "corrupt", "lossy", "duplicates", "clock-skew"])
def test_what_does_not_change_the_world_leaves_its_slates(
    logs: dict[str, Log], steady: Log, scenario: str
) -> None:
    assert logs[scenario].truth.slates() == steady.truth.slates()


def share_of_bargain_hunters(log: Log) -> float:
    """Share of the later slates that are for two of the five segments."""
    segments = [each["campaign"]["segment"] for each in log.of("slate") if each["at"] >= DRIFT]
    return len([each for each in segments if each in ("price_sensitive", "young_urban")]) / len(segments)


def test_covariate_drift_changes_who_is_mailed_and_not_what_works(logs: dict[str, Log], steady: Log) -> None:
    log = logs["covariate-drift"]
    assert share_of_bargain_hunters(steady) == pytest.approx(0.4, abs=0.1)
    assert share_of_bargain_hunters(log) == pytest.approx(0.7, abs=0.1)
    assert log.truth.items() == steady.truth.items()


def rate_correlation(log: Log, steady: Log, *, days: range) -> float:
    """Between the log rates of what the two logs showed, within slates; the slates are the same."""
    correlations = []
    for one, other in zip(log.truth.slates().to_pylist(), steady.truth.slates().to_pylist(), strict=True):
        if (one["at"] - START).days in days:
            pair = np.corrcoef(np.log(one["shown_rates"]), np.log(other["shown_rates"]))
            correlations.append(pair[0, 1])
    return float(np.mean(correlations))


def test_an_abrupt_concept_drift_leaves_the_slates_and_changes_what_works(
    logs: dict[str, Log], steady: Log
) -> None:
    log = logs["concept-drift-abrupt"]
    assert rate_correlation(log, steady, days=range(DRIFT_DAY)) == pytest.approx(1.0)
    assert rate_correlation(log, steady, days=range(DRIFT_DAY, DAYS)) < 0.5
    assert log.truth.facts["turned_degrees"] == [0.0] * DRIFT_DAY + [75.0] * (DAYS - DRIFT_DAY)


def test_a_gradual_concept_drift_turns_day_by_day(logs: dict[str, Log], steady: Log) -> None:
    log = logs["concept-drift-gradual"]
    by_day = [rate_correlation(log, steady, days=range(day, day + 1)) for day in range(DAYS)]
    assert by_day[:DRIFT_DAY] == pytest.approx([1.0] * DRIFT_DAY)
    assert 1.0 > by_day[3] > by_day[4] > by_day[5] > 0.5


def test_seasons_move_traffic_clicks_and_the_taste_of_weekends(logs: dict[str, Log], steady: Log) -> None:
    log = logs["seasonal"]

    def spread_of_factors(log: Log) -> float:
        return float(np.std(np.log(log.truth.slates()["click_factor"].to_numpy())))

    def share_on_saturday(log: Log) -> float:
        slates = log.of("slate")
        return len([each for each in slates if each["at"].weekday() == 5]) / len(slates)

    assert spread_of_factors(log) == pytest.approx(3 * spread_of_factors(steady), rel=0.2)
    assert share_on_saturday(log) < 0.4 * share_on_saturday(steady)
    assert log.truth.facts["turned_degrees"] == [0.0] * 5 + [60.0]
    assert {line for line in log.lines if b'"item"' in line[:20]} == {
        line for line in steady.lines if b'"item"' in line[:20]
    }


def test_a_new_target_has_no_history(logs: dict[str, Log], steady: Log) -> None:
    log = logs["new-target"]
    converted = [each["at"] for each in log.of("outcome") if each["kind"] == "converted"]
    assert min(converted) >= DRIFT
    assert len(converted) > 100
    assert min(each["at"] for each in steady.of("outcome") if each["kind"] == "converted") < DRIFT

    def others(log: Log) -> set[bytes]:
        return {line for line in log.before_drift() if b'"converted"' not in line}

    assert others(log) == others(steady)


def test_new_items_come_in_numbers_and_take_the_slates(logs: dict[str, Log], steady: Log) -> None:
    log = logs["new-items"]

    def share_of_new(log: Log) -> float:
        came = {each["source_id"]: each["at"] for each in log.of("item")}
        pictures = {each["item_id"]: each["source_id"] for each in log.of("item")}
        ages = [slate["at"] - came[pictures[slate["items"][0]["item_id"]]] for slate in log.of("slate")]
        return len([age for age in ages if age < timedelta(days=1)]) / len(ages)

    assert log.summary.events["item"] > 2 * steady.summary.events["item"]
    assert share_of_new(log) > 1.5 * share_of_new(steady)


def test_bots_click_everything_at_once_and_truth_knows_who_they_are(
    logs: dict[str, Log], steady: Log
) -> None:
    log = logs["bots"]

    def click_rate(log: Log) -> float:
        counts = Counter[str]()
        for each in log.of("outcome"):
            counts[each["kind"]] += each.get("count", 1)
        return counts["clicked"] / counts["delivered"]

    bots = {each for names in log.truth.facts["bots"].values() for each in names}
    clickers = {each["recipient_id"] for each in log.of("outcome") if "recipient_id" in each}
    assert click_rate(log) == pytest.approx(click_rate(steady) + 0.02, abs=0.002)
    assert len(bots) == 6 * 1000
    assert len(clickers & bots) > 10
    assert not {bot for names in steady.truth.facts["bots"].values() for bot in names}
    assert {each["event_id"] for each in log.of("slate")} == {each["event_id"] for each in steady.of("slate")}


def test_duplicates_lie_in_four_places_and_hide_nothing(logs: dict[str, Log], steady: Log) -> None:
    log = logs["duplicates"]
    assert set(log.summary.duplicates) == {"same_file", "other_file", "other_day", "other_hour"}
    assert log.summary.duplicates.total() == pytest.approx(0.02 * steady.summary.n_events, rel=0.2)
    assert set(steady.lines) <= set(log.lines)
    identities = Counter((each["tenant"], each["event_id"]) for each in log.events)
    assert sum(identities.values()) - len(identities) == log.summary.duplicates.total()
    moved = set(log.lines) - set(steady.lines)
    assert len(moved) == log.summary.duplicates["other_hour"]
    by_id = {each["event_id"]: each["at"] for each in steady.events}
    assert {by_id[each["event_id"]] - parse(each["occurred_at"]) for each in map(json.loads, moved)} == {HOUR}


def test_late_withholds_the_reactions_of_some_hours_for_a_day(logs: dict[str, Log], steady: Log) -> None:
    log = logs["late"]
    late = [path for path in log.summary.files if path.name.startswith("late-")]
    assert len(late) == 2
    events = [json.loads(line) for path in late for line in read_lines(path)]
    for event in events:
        assert parse(event["received_at"]) - parse(event["occurred_at"]) > timedelta(days=1)
        assert (parse(event["occurred_at"]) - START) // HOUR in LATE_HOURS
    assert len(events) > 100
    assert {each["event_id"] for each in log.events} == {each["event_id"] for each in steady.events}


def test_lossy_loses_what_truth_counts_and_one_whole_hour(logs: dict[str, Log], steady: Log) -> None:
    log = logs["lossy"]
    assert set(log.lines) < set(steady.lines)
    assert log.summary.n_events + log.summary.lost.total() == steady.summary.n_events
    assert 0.03 < log.summary.lost.total() / steady.summary.n_events < 0.06
    assert LOST_HOUR not in {(parse(each["received_at"]) - START) // HOUR for each in log.events}


def test_corrupt_adds_every_kind_of_damage_and_leaves_the_good_lines(
    logs: dict[str, Log], steady: Log
) -> None:
    log = logs["corrupt"]
    assert set(steady.lines) <= set(log.lines)
    assert set(log.summary.damaged) == {code for _, code, _ in DAMAGES}
    assert len(DAMAGES) >= 12
    assert log.summary.damaged.total() == pytest.approx(0.01 * steady.summary.n_events, rel=0.25)


def test_a_schema_change_adds_fields_revives_an_older_version_and_renames_one(
    logs: dict[str, Log], steady: Log
) -> None:
    log = logs["schema-change"]
    later = [event for event in log.events if event["at"] >= DRIFT]
    shares = [
        sum(field in event for event in later) / len(later) for field in ("editor_build", "version", "ranker")
    ]
    assert shares == pytest.approx([0.2, 0.05, 0.01], rel=0.25)
    assert log.summary.damaged == {"missing_field": sum("ranker" in event for event in later)}
    older = [event for event in later if event.get("version") == 1]
    assert not {"builder_id", "session_id", "recipient_id", "experiment", "experiment_id"} & {
        field for event in older for field in event
    }
    assert {event["type"] for event in older if "schema_hash" in event} == {"slate"}
    assert {each["event_id"] for each in log.events} == {each["event_id"] for each in steady.events}


def test_clock_skew_moves_what_two_tenants_say_and_nothing_else(logs: dict[str, Log], steady: Log) -> None:
    true = {each["event_id"]: each["at"] for each in steady.events}
    moved: dict[str, set[timedelta]] = {}
    for event in logs["clock-skew"].events:
        if true[event["event_id"]] >= DRIFT:
            moved.setdefault(event["tenant"], set()).add(event["at"] - true[event["event_id"]])
        else:
            assert event["at"] == true[event["event_id"]]
    expected = {tenant: timedelta(milliseconds=CLOCK_SKEW.get(tenant, 0)) for tenant in moved}
    assert moved == {tenant: {shift} for tenant, shift in expected.items()}
    assert sorted(CLOCK_SKEW) == ["cedar", "willow"]
