"""Every critical expectation on a training set catches the fault that it is for, by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from letterpress.clock import ManualClock
from letterpress.errors import StorageError
from letterpress.events.session import SESSION_COUNTS
from letterpress.lake.gate_views import make_training_set_views
from letterpress.lake.snapshot_layout import KNOWN_COUNTS
from letterpress.quality.gate import check_training_set
from letterpress.quality.suites import read_suite
from letterpress.settings import Settings

GateFailures = Callable[..., dict[str, str]]
TrainingFailures = Callable[[str], dict[str, str]]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*")


def write_training_set(path: Path, change: str = "* from examples") -> Path:
    """Twenty slates of four items as `training.parquet`, changed by the select `change`."""
    counts = ", ".join(f"0 as {name}" for name in (*KNOWN_COUNTS, *SESSION_COUNTS))
    duckdb.sql(
        f"""
        copy (
            with examples as (
                select
                    'image_enhancement' as recommender, 'tenant-' || slate % 3 as tenant,
                    'slate-' || slate as slate_id, 'campaign-' || slate % 5 as campaign_id, 'hero' as slot,
                    'item-' || slate || '-' || place as item_id, place::integer as position,
                    0.25 as propensity, 'explore' as policy,
                    timestamptz '2026-01-05 03:00:00+00' + to_seconds(slate) as shown_at,
                    '2026-01-05T03' as hour, 'travel' as industry, 'promotion' as campaign_type,
                    'clicks' as goal, 'loyal' as segment, 0.5 as mobile_share,
                    null::timestamptz as send_at, map {{}} as context_labels,
                    'picture_variant' as item_kind, 'picture-1' as source_id,
                    map {{'brightness': 0.5}} as attributes, map {{'enhancement': 'warm'}} as item_labels,
                    null::varchar as logged_schema_hash, null::double[] as logged_features, {counts},
                    (place = 1)::integer as chosen, 1000::bigint as delivered, 12::bigint as clicked,
                    1::bigint as converted, 0::bigint as unsubscribed, 55.0 as email_score
                from range(20) slates(slate), range(1, 5) places(place)
            )
            select {change}
        ) to '{path}' (format parquet)
        """  # noqa: S608
    )
    return path


def in_first_slate(column: str, value: str) -> str:
    changed = f"case when slate_id = 'slate-0' then {value} else {column} end as {column}"
    return f"* replace ({changed}) from examples"


NO_DELIVERY = "-1 as delivered, -1 as clicked, -1 as converted, -1 as unsubscribed"

FAULTS = {
    "training_examples.examples_exist": "* from examples where false",
    "training_examples.columns_exist": "* exclude (segment) from examples",
    "training_keys.keys_are_unique": in_first_slate("item_id", "'item-0-1'"),
    "training_examples.show_times_are_present": in_first_slate("shown_at", "null"),
    "training_examples.campaigns_are_present": in_first_slate("campaign_id", "null"),
    "training_examples.positions_start_at_one": in_first_slate("position", "position - 1"),
    "training_examples.propensities_are_probabilities": in_first_slate("propensity", "0.0"),
    "training_examples.choices_are_zero_or_one": in_first_slate("chosen", "2"),
    "training_examples.choices_are_present": in_first_slate("chosen", "null"),
    "training_examples.deliveries_are_not_negative": f"* replace ({NO_DELIVERY}, 1 as chosen) from examples",
    "training_examples.clicks_are_not_negative": in_first_slate("clicked", "-1"),
    "training_examples.clicks_do_not_exceed_deliveries": in_first_slate("clicked", "1001"),
    "training_examples.conversions_do_not_exceed_deliveries": in_first_slate("converted", "1001"),
    "training_examples.unsubscriptions_do_not_exceed_deliveries": in_first_slate("unsubscribed", "1001"),
    "training_examples.email_scores_are_in_range": in_first_slate("email_score", "100.5"),
    "training_counts.known_counts_are_not_negative": in_first_slate("item_segment_clicked", "-1"),
    "training_slates.positions_have_no_gaps": in_first_slate("position", "position * 2"),
    "training_past.hardly_any_count_is_from_the_future": "* replace (3 as item_shown) from examples",
    "training_past.no_click_is_from_the_future": "* replace (12 as item_clicked) from examples",
    "training_slates.a_label_is_positive": "* replace (0 as chosen, 0 as clicked) from examples",
}
CONSEQUENCES = {
    "training_examples.examples_exist": {"training_slates.a_label_is_positive"},
    "training_examples.deliveries_are_not_negative": {
        "training_examples.clicks_are_not_negative",
        "training_slates.a_label_is_positive",
    },
}
"""What cannot but fail together with the fault."""


@pytest.fixture
def training_failures(gate_failures: GateFailures, tmp_path: Path) -> TrainingFailures:
    """Runs the gate on a changed training set and gives the severity of every expectation that failed."""

    def run(change: str) -> dict[str, str]:
        training = write_training_set(tmp_path / "training.parquet", change)
        database = tmp_path / "views.duckdb"
        return gate_failures("training_set", database, make_training_set_views(training, database))

    return run


def test_a_fault_is_planted_for_every_critical_expectation() -> None:
    critical = {
        f"{table}.{each.name}"
        for table, expectations in read_suite(Settings().project, "training_set").tables.items()
        for each in expectations
        if each.severity == "critical"
    }

    assert set(FAULTS) | {"training_leakage.no_feature_is_the_label"} == critical


def test_a_clean_training_set_passes_without_a_warning(training_failures: TrainingFailures) -> None:
    assert training_failures("* from examples") == {}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_the_training_set_is_caught_by_name(
    name: str, training_failures: TrainingFailures
) -> None:
    found = training_failures(FAULTS[name])

    critical = {failed for failed, severity in found.items() if severity == "critical"}
    assert critical == {name} | CONSEQUENCES.get(name, set())


def test_what_a_session_did_is_no_negative_number(training_failures: TrainingFailures) -> None:
    found = training_failures(in_first_slate("session_edits", "-1"))

    assert found == {"training_counts.known_counts_are_not_negative": "critical"}


def test_sessions_that_nobody_counted_are_no_fault(training_failures: TrainingFailures) -> None:
    nobody = ", ".join(f"null::bigint as {name}" for name in SESSION_COUNTS)

    assert training_failures(f"* replace ({nobody}) from examples") == {}


def test_counts_of_earlier_hours_are_no_leak(training_failures: TrainingFailures) -> None:
    later = (
        "* replace ('2026-01-05T04' as hour, 'slate-later' as slate_id, 1 as item_shown, 12 as item_clicked)"
    )
    first = "from examples where slate_id = 'slate-0'"

    assert training_failures(f"* from examples union all select {later} {first}") == {}


def test_a_count_known_one_hour_too_early_warns(training_failures: TrainingFailures) -> None:
    """One slate of a hundred items: what a single sender with a wrong clock does."""
    many = "from examples union all select * replace ('tenant-x' as tenant) from examples"
    early = in_first_slate("item_shown", "1").removesuffix(" from examples")
    only_first_place = early.replace(
        "slate_id = 'slate-0'", "slate_id = 'slate-0' and position = 1 and tenant = 'tenant-x'"
    )

    found = training_failures(f"{only_first_place} from (select * {many})")

    assert found == {"training_past.no_count_is_from_the_future": "warning"}


def test_a_feature_that_is_the_label_is_refused_by_name(gate_failures: GateFailures, tmp_path: Path) -> None:
    training = write_training_set(tmp_path / "training.parquet")
    told = [{"feature": "clicked_later", "label": "clicked", "separation": 0.99}]
    database = tmp_path / "views.duckdb"

    found = gate_failures("training_set", database, make_training_set_views(training, database, told))

    assert found == {
        "training_leakage.no_feature_is_the_label": "critical",
        "training_leakage.no_feature_is_nearly_the_label": "warning",
    }


def test_two_tenants_may_use_the_same_ids(training_failures: TrainingFailures) -> None:
    found = training_failures("* from examples union all select * replace ('other' as tenant) from examples")

    assert found == {}


def test_one_campaign_warns_only(training_failures: TrainingFailures) -> None:
    found = training_failures("* replace ('campaign-1' as campaign_id) from examples")

    assert found == {"training_examples.campaigns_are_several": "warning"}


def test_a_column_that_slates_need_is_named_and_its_table_is_not_skipped(
    training_failures: TrainingFailures,
) -> None:
    found = training_failures("* exclude (clicked) from examples")

    assert found["training_examples.columns_exist"] == "critical"
    assert found["training_slates.positions_have_no_gaps"] == "critical"


def test_the_result_names_recommender_and_snapshot(settings: Settings, tmp_path: Path) -> None:
    training = write_training_set(tmp_path / "training.parquet")
    clock = ManualClock(datetime(2026, 1, 6, tzinfo=UTC))

    result = check_training_set(settings, "image_enhancement", "0123456789abcdef", training, clock)

    assert result.passed
    assert result.subject == "image_enhancement@0123456789abcdef"


def test_a_missing_training_set_says_how_to_publish_one(settings: Settings, tmp_path: Path) -> None:
    clock = ManualClock(datetime(2026, 1, 6, tzinfo=UTC))
    with pytest.raises(StorageError, match="run `letterpress features`"):
        check_training_set(
            settings, "image_enhancement", "0123456789abcdef", tmp_path / "none.parquet", clock
        )
