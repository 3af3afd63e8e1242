"""A/B sends in the warehouse: known lifts are recovered, and broken assignments are seen in real tests."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from letterpress.clock import ManualClock
from letterpress.lake.feature_gate_facts import write_feature_facts
from letterpress.lake.warehouse import connect_warehouse
from letterpress.orchestration.build_features import build_features
from letterpress.orchestration.import_logs import import_logs
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.settings import Settings
from letterpress.simulation.simulate import Plan, simulate
from letterpress.simulation.truth import Truth

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:great_expectations.*")
CLOCK = ManualClock(datetime(2026, 1, 20, tzinfo=UTC))
ALARM = 3.09
"""Of `sample_ratio_z`: by chance one experiment in a thousand lies above it."""


def query(settings: Settings, text: str, **tables: pa.Table) -> dict[str, Any]:
    """The one row that `text` gives; it may name `tables`, and asks for `$alarm`."""
    with connect_warehouse(settings.paths, read_only=True, threads=1) as connection:
        for name, table in tables.items():
            connection.register(name, table)
        (row,) = connection.sql(text, params={"alarm": ALARM}).to_arrow_table().to_pylist()
    return dict(row)


def test_intervals_hold_the_lifts_that_are_known_and_equal_shares_raise_no_alarm(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "var")
    simulate(Plan(7, 4000, 7, "steady", datetime(2026, 1, 5, tzinfo=UTC)), settings.paths.landing)
    shutil.move(settings.paths.landing / "truth", tmp_path / "truth")
    ingest_landing(settings, CLOCK)
    build_features(settings)

    found = query(
        settings,
        """
        select
            count(*) as arms,
            avg((truth.lift between found.lift_low and found.lift_high)::integer) as coverage,
            avg(ln(1 + found.lift) - ln(1 + truth.lift)) as bias,
            avg((sample_ratio_z > $alarm)::integer) as alarms
        from fct_experiments as found
        inner join truth using (experiment_id, item_id)
        where found.lift is not null and found.delivered > 0
        """,
        truth=Truth.open(tmp_path).experiments(),
    )
    assert found["arms"] > 2000
    assert found["coverage"] == pytest.approx(0.95, abs=0.02)
    assert abs(found["bias"]) < 0.02
    assert found["alarms"] < 0.01


def test_shares_of_arms_alarm_in_the_weeks_of_which_the_archive_warns_and_hardly_elsewhere(
    tmp_path: Path, reference_data: Path, gate_failures: Callable[..., dict[str, str]]
) -> None:
    settings = Settings(home=tmp_path / "var")
    import_logs(settings, "ab-test", [str(reference_data / "upworthy" / "upworthy_dev.csv.gz")], clock=CLOCK)
    build_features(settings)

    found = query(
        settings,
        """
        select
            count(*) filter (where not is_trusted) as warned_of,
            avg((z > $alarm)::integer) filter (where not is_trusted) as alarms_there,
            count(*) filter (where is_trusted) as trusted,
            avg((z > $alarm)::integer) filter (where is_trusted) as alarms_elsewhere
        from (
            select
                experiment_id,
                max(sample_ratio_z) as z,
                lower(any_value(context_labels['trusted'])) = 'true' as is_trusted
            from fct_experiments
            inner join fct_slate_items using (recommender, tenant, item_id)
            where arms > 1
            group by experiment_id
        )
        """,
    )
    assert found["warned_of"] > 50
    assert found["alarms_there"] == pytest.approx(0.67, abs=0.03)
    assert found["alarms_elsewhere"] < 0.01

    told, untold = tmp_path / "told.duckdb", tmp_path / "untold.duckdb"
    write_feature_facts(settings.paths, None, told, threads=1)
    assert weeks_refused(told) == (0, None, None), "of these the archive warns"
    with connect_warehouse(settings.paths, read_only=False, threads=1) as connection:
        connection.execute("update fct_slate_items set context_labels = map {'week': 'some'}")
    made = write_feature_facts(settings.paths, None, untold, threads=1)
    assert weeks_refused(untold) == (27, "2013-06", "2013-12")
    assert gate_failures("features", untold, made) == {
        "feature_experiments.arms_get_their_shares": "critical",
        "feature_experiments.no_experiment_alarms": "warning",
    }


def weeks_refused(database: Path) -> tuple[int, str | None, str | None]:
    """How many weeks have too many alarms about shares, the month of the first and of the last."""
    with duckdb.connect(str(database), read_only=True) as connection:
        ((weeks, first, last),) = connection.sql(
            "select count(*), left(min(week)::varchar, 7), left(max(week)::varchar, 7) "
            "from feature_experiments where share_of_alarms > 0.05"
        ).fetchall()
    return int(weeks), first, last
