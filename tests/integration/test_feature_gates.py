"""Every critical expectation on marts and on a written snapshot catches the fault that it is for, by name."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.integration.tiny_warehouse import write_warehouse

from letterpress.clock import ManualClock
from letterpress.errors import GateFailedError
from letterpress.events.session import SESSION_COUNTS
from letterpress.events.types import AnyEvent, CampaignContext, ShownItem, Slate
from letterpress.lake.feature_gate_facts import write_feature_facts
from letterpress.lake.snapshot_gate_facts import FeatureCoverage, SnapshotUnderTest, write_snapshot_facts
from letterpress.lake.snapshot_layout import read_current, read_manifest
from letterpress.lake.snapshots import publish_snapshot
from letterpress.orchestration.publish_features import publish_checked_features, snapshot_spec
from letterpress.quality.suites import read_suite
from letterpress.settings import Home, Settings

WriteRaw = Callable[[Path, list[AnyEvent]], None]
GateFailures = Callable[..., dict[str, str]]
FeatureFailures = Callable[..., dict[str, str]]
Change = Callable[[SnapshotUnderTest], SnapshotUnderTest]
SnapshotFailures = Callable[..., dict[str, str]]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*")
CLOCK = ManualClock(datetime(2026, 1, 9, tzinfo=UTC))


def critical_names(gate: str) -> set[str]:
    return {
        f"{table}.{each.name}"
        for table, expectations in read_suite(Settings().project, gate).tables.items()
        for each in expectations
        if each.severity == "critical"
    }


def critical(found: dict[str, str]) -> set[str]:
    return {name for name, severity in found.items() if severity == "critical"}


def a_slate(slate_id: str) -> Slate:
    at = datetime(2026, 1, 5, 3, tzinfo=UTC)
    return Slate(
        event_id=slate_id,
        tenant="tenant-0",
        recommender="image_enhancement",
        occurred_at=at,
        received_at=at,
        slate_id=slate_id,
        campaign=CampaignContext(campaign_id="campaign-0"),
        slot="hero",
        policy="uniform",
        items=[ShownItem(item_id="item-0", position=1)],
    )


FEATURE_FAULTS = {
    "feature_counts.counts_are_not_negative": "update ftr_item_segment_hours set unsubscribed = -1",
    "feature_counts.no_row_is_multiplied": (
        "insert into ftr_enhancement_industry_hours from ftr_enhancement_industry_hours"
    ),
    "feature_counts.keys_and_counts_are_present": (
        "update ftr_item_segment_hours set segment = null where item_id = 'item-0'"
    ),
    "feature_counts.clicks_stand_beside_deliveries": (
        "update ftr_item_segment_hours set clicked = delivered + 1"
    ),
    "feature_counts.choices_stand_beside_slates": "update ftr_item_segment_hours set chosen = shown + 1",
    "feature_rows.slate_items_exist": (
        "truncate fct_slate_items; truncate ftr_item_hours; truncate ftr_item_segment_hours; "
        "truncate ftr_enhancement_industry_hours; truncate training_examples"
    ),
    "feature_rows.every_show_is_counted_once": "update ftr_item_hours set shown = shown + 1",
    "feature_rows.every_delivery_is_counted_once": "update ftr_item_hours set delivered = delivered + 1",
    "feature_rows.training_rows_are_not_multiplied": (
        "insert into training_examples from training_examples where slate_id = 'slate-1'"
    ),
    "feature_rows.counted_items_were_shown": "update ftr_item_hours set tenant = 'other'",
    "feature_rows.the_newest_hours_are_built": "",
    "feature_rates.entities_stay": (
        "delete from ftr_item_segment_hours where item_id not in ('item-1', 'item-2')"
    ),
    "feature_rates.evidence_stays": (
        "delete from ftr_enhancement_industry_hours where as_of_at > '2026-01-05 09:00:00+00'"
    ),
    "feature_rates.click_rates_are_of_the_same_size": "update ftr_item_segment_hours set clicked = 0",
    "feature_experiments.arms_get_their_shares": "update fct_experiments set sample_ratio_z = 4",
}
ALSO_REFUSED = {
    "feature_rows.slate_items_exist": {"feature_rows.the_newest_hours_are_built"},
    "feature_rates.entities_stay": {"feature_rates.evidence_stays"},
}
"""Faults that are two at once."""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with the tiny warehouse and a snapshot of it."""
    home = Home(root=tmp_path_factory.mktemp("published"))
    write_warehouse(home)
    publish_snapshot(home, snapshot_spec(), CLOCK, threads=1)
    return home


@pytest.fixture
def feature_failures(
    gate_failures: GateFailures, published: Home, tmp_path: Path, write_raw: WriteRaw
) -> FeatureFailures:
    """Runs the gate on the tiny warehouse, changed by some SQL, beside the snapshot of the unchanged one."""
    databases = (tmp_path / f"facts-{number}.duckdb" for number in itertools.count())

    def run(edit: str, *only: str, raw: str = "slate-0") -> dict[str, str]:
        home = Home(root=tmp_path / "home")
        shutil.copytree(published.snapshots, home.snapshots)
        write_warehouse(home, edit)
        write_raw(home.raw, [a_slate(raw)])
        database = next(databases)
        made = write_feature_facts(home, None, database, threads=1)
        return gate_failures("features", database, made, only)

    return run


def test_a_fault_is_planted_for_every_critical_expectation_on_marts() -> None:
    assert set(FEATURE_FAULTS) == critical_names("features")


def test_clean_marts_pass_without_a_warning(feature_failures: FeatureFailures) -> None:
    assert feature_failures("") == {}


@pytest.mark.parametrize("name", FEATURE_FAULTS)
def test_a_fault_in_the_marts_is_caught_by_name(name: str, feature_failures: FeatureFailures) -> None:
    raw = "a-slate-that-nobody-built" if name.endswith("the_newest_hours_are_built") else "slate-0"
    found = critical(feature_failures(FEATURE_FAULTS[name], name.partition(".")[0], raw=raw))

    assert found == {name} | ALSO_REFUSED.get(name, set())


def test_experiments_that_the_log_itself_distrusts_alarm_nobody(feature_failures: FeatureFailures) -> None:
    broken = "update fct_experiments set sample_ratio_z = 4;"
    labelled = "update fct_slate_items set context_labels = map {'trusted': 'false'}"

    assert "feature_experiments.arms_get_their_shares" not in feature_failures(broken + labelled)


def test_one_experiment_with_broken_shares_warns_only(feature_failures: FeatureFailures) -> None:
    found = feature_failures("update fct_experiments set sample_ratio_z = 9 where experiment_id = 'slate-7'")

    assert found == {"feature_experiments.no_experiment_alarms": "warning"}


def test_shares_of_the_last_day_are_not_judged(feature_failures: FeatureFailures) -> None:
    late = "update fct_experiments set sample_ratio_z = 9 where shown_at > '2026-01-07 12:00:00+00'"

    assert feature_failures(late) == {}


def edit_counts(change: Callable[[Any], None], path: str = "image_enhancement/item.npy") -> Change:
    def edited(under_test: SnapshotUnderTest) -> SnapshotUnderTest:
        counts = np.load(under_test.folder / path)
        change(counts)
        np.save(under_test.folder / path, counts)
        return under_test

    return edited


def edit_entry(**changes: Any) -> Change:
    def edited(under_test: SnapshotUnderTest) -> SnapshotUnderTest:
        entries = dict(under_test.manifest.recommenders)
        name = "image_enhancement"
        entries[name] = msgspec.structs.replace(entries[name], **changes)
        return replace(
            under_test, manifest=msgspec.structs.replace(under_test.manifest, recommenders=entries)
        )

    return edited


def put(value: int, row: int, column: int) -> Callable[[Any], None]:
    def change(counts: Any) -> None:
        counts[row, column] = value

    return change


def click_beyond_deliveries(counts: Any) -> None:
    counts[:-1, 3] = counts[:-1, 2] + 1


def widen_with_larger_windows(under_test: SnapshotUnderTest) -> SnapshotUnderTest:
    path = under_test.folder / "image_enhancement" / "item.npy"
    counts = np.load(path)
    within = counts[:, :6].copy()
    within[0, 0] += 1
    np.save(path, np.concatenate([counts[:, :6], within], axis=1))
    return under_test


def drop_training_column(name: str) -> Change:
    def edited(under_test: SnapshotUnderTest) -> SnapshotUnderTest:
        path = under_test.folder / "image_enhancement" / "training.parquet"
        pq.write_table(pq.read_table(path, partitioning=None).drop_columns([name]), path)
        return under_test

    return edited


def lose_a_feature(under_test: SnapshotUnderTest) -> SnapshotUnderTest:
    lost = FeatureCoverage("image_enhancement", "brightness", 0.2, 0.9, is_constant=False, was_constant=False)
    return replace(under_test, coverage=[lost])


def tell_on_another_scale(under_test: SnapshotUnderTest) -> SnapshotUnderTest:
    told = FeatureCoverage(
        "image_enhancement", "brightness", 0.9, 0.9, is_constant=False, was_constant=False, beyond_known=0.3
    )
    return replace(under_test, coverage=[told])


def go_back_two_days(under_test: SnapshotUnderTest) -> SnapshotUnderTest:
    assert under_test.manifest.as_of is not None
    earlier = under_test.manifest.as_of - timedelta(days=2)
    return replace(under_test, manifest=msgspec.structs.replace(under_test.manifest, as_of=earlier))


SPEC = snapshot_spec()["image_enhancement"]
SNAPSHOT_FAULTS: dict[str, Change] = {
    "snapshot_schema.schemas_are_the_declared_ones": edit_entry(schema_hash="another"),
    "snapshot_schema.no_feature_is_missing": edit_entry(features=SPEC.features[1:]),
    "snapshot_schema.no_feature_is_undeclared": edit_entry(features=(*SPEC.features, "mood")),
    "snapshot_schema.attributes_are_the_declared_ones": edit_entry(attributes=SPEC.attributes[::-1]),
    "snapshot_schema.training_and_serving_have_the_same_counts": drop_training_column("item_clicked"),
    "snapshot_rows.rows_stay": edit_entry(rows={"item": 1}),
    "snapshot_counts.counts_are_not_negative": edit_counts(put(-1, row=0, column=-1)),
    "snapshot_counts.the_unknown_has_no_counts": edit_counts(put(1, row=-1, column=0)),
    "snapshot_counts.windows_are_nested": widen_with_larger_windows,
    "snapshot_counts.clicks_stand_beside_deliveries": edit_counts(click_beyond_deliveries),
    "snapshot_coverage.known_features_stay_known": lose_a_feature,
    "snapshot_coverage.attributes_keep_their_scale": tell_on_another_scale,
    "snapshot_times.time_goes_forward": go_back_two_days,
}


@pytest.fixture
def snapshot_failures(gate_failures: GateFailures, published: Home, tmp_path: Path) -> SnapshotFailures:
    """Runs the gate on a changed copy of the published snapshot, as the one that would follow it."""

    def run(change: Change, *only: str) -> dict[str, str]:
        current = read_current(published)
        assert current is not None
        folder = shutil.copytree(published.snapshots / current.snapshot, tmp_path / "staged")
        manifest = read_manifest(published.snapshots / current.snapshot)
        under_test = change(SnapshotUnderTest("the-next-one", folder, manifest, snapshot_spec()))
        database = tmp_path / "facts.duckdb"
        made = write_snapshot_facts(published, under_test, database)
        return gate_failures("snapshot", database, made, only)

    return run


def test_a_fault_is_planted_for_every_critical_expectation_on_a_snapshot() -> None:
    assert set(SNAPSHOT_FAULTS) == critical_names("snapshot")


def test_a_clean_snapshot_passes_without_a_warning(snapshot_failures: SnapshotFailures) -> None:
    assert snapshot_failures(lambda under_test: under_test) == {}


def test_slates_of_the_last_days_may_go_when_traffic_does(snapshot_failures: SnapshotFailures) -> None:
    assert snapshot_failures(edit_entry(rows={"recent": 1}), "snapshot_rows") == {}


@pytest.mark.parametrize("name", SNAPSHOT_FAULTS)
def test_a_fault_in_a_snapshot_is_caught_by_name(name: str, snapshot_failures: SnapshotFailures) -> None:
    found = snapshot_failures(SNAPSHOT_FAULTS[name], name.partition(".")[0])

    assert critical(found) == {name}


@pytest.mark.parametrize("name", SESSION_COUNTS)
def test_a_training_set_without_a_count_of_sessions_is_refused(
    name: str, snapshot_failures: SnapshotFailures
) -> None:
    found = snapshot_failures(drop_training_column(name), "snapshot_schema")

    assert found == {"snapshot_schema.training_and_serving_have_the_same_counts": "critical"}


def test_marts_that_are_refused_leave_the_published_snapshot(
    published: Home, tmp_path: Path, write_raw: WriteRaw
) -> None:
    settings = Settings(home=tmp_path / "home")
    shutil.copytree(published.snapshots, settings.paths.snapshots)
    write_warehouse(settings.paths, "update ftr_item_hours set unsubscribed = -1")
    write_raw(settings.paths.raw, [a_slate("slate-0")])

    with pytest.raises(GateFailedError, match=r"gate features refused all: feature_counts\.counts_are_not"):
        publish_checked_features(settings, clock=CLOCK)

    assert read_current(settings.paths) == read_current(published)


def test_a_snapshot_that_is_refused_leaves_no_trace(
    published: Home, tmp_path: Path, write_raw: WriteRaw
) -> None:
    settings = Settings(home=tmp_path / "home")
    shutil.copytree(published.snapshots, settings.paths.snapshots)
    write_warehouse(settings.paths, "alter table training_examples drop column item_clicked")
    write_raw(settings.paths.raw, [a_slate("slate-0")])
    before = sorted(settings.paths.snapshots.iterdir())

    with pytest.raises(GateFailedError, match=r"snapshot_schema\.training_and_serving_have_the_same_counts"):
        publish_checked_features(settings, clock=CLOCK)

    assert read_current(settings.paths) == read_current(published)
    assert sorted(settings.paths.snapshots.iterdir()) == before


def test_what_passes_is_published_and_says_what_the_gates_found(
    published: Home, tmp_path: Path, write_raw: WriteRaw
) -> None:
    settings = Settings(home=tmp_path / "home")
    write_warehouse(settings.paths)
    write_raw(settings.paths.raw, [a_slate("slate-0")])

    result = publish_checked_features(settings, clock=CLOCK)

    assert [(gate["gate"], gate["passed"], gate["warnings"]) for gate in result["gates"]] == [
        ("features", True, []),
        ("snapshot", True, []),
    ]
    current = read_current(settings.paths)
    assert current is not None
    assert current.snapshot == result["snapshot"]
