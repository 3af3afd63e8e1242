from pathlib import Path

import pytest
import yaml

from letterpress.errors import UsageError
from letterpress.events.types import EVENT_NAMES
from letterpress.lake.feature_gate_facts import FEATURE_TABLES
from letterpress.lake.gate_views import view_columns
from letterpress.lake.partitions import HourRange
from letterpress.lake.raw_log_facts import make_raw_log_tables
from letterpress.lake.served_facts import SERVED_TABLES
from letterpress.lake.snapshot_gate_facts import SNAPSHOT_TABLES
from letterpress.lake.snapshot_layout import KNOWN_COUNTS
from letterpress.quality.suites import gate_names, read_suite, suite_path
from letterpress.settings import Home, Settings

PROJECT = Settings().project
GATES = gate_names(PROJECT)


def test_every_boundary_has_a_gate() -> None:
    assert GATES == ("features", "raw_log", "served_predictions", "snapshot", "training_set")


@pytest.mark.parametrize("gate", GATES)
def test_every_expectation_says_why_and_how_severe_it_is(gate: str) -> None:
    expectations = [each for table in read_suite(PROJECT, gate).tables.values() for each in table]

    assert all(each.why.endswith(".") for each in expectations)
    assert {each.severity for each in expectations} == {"critical", "warning"}


def test_tables_and_columns_of_the_raw_log_suite_exist(tmp_path: Path) -> None:
    database = tmp_path / "views.duckdb"
    hours = HourRange.parse("2026-01-05T03--2026-01-05T04")
    made = make_raw_log_tables(Home(root=tmp_path / "var"), hours, database)

    for table, expectations in read_suite(PROJECT, "raw_log").tables.items():
        assert table in made
        used = {column for each in expectations for column in each.columns}
        assert used <= set(view_columns(database, table))


@pytest.mark.parametrize(
    ("gate", "tables"),
    [("features", FEATURE_TABLES), ("served_predictions", SERVED_TABLES), ("snapshot", SNAPSHOT_TABLES)],
)
def test_every_table_of_facts_has_expectations(gate: str, tables: tuple[str, ...]) -> None:
    assert tuple(read_suite(PROJECT, gate).tables) == tables


def test_columns_of_the_training_set_suite_are_those_that_dbt_promises() -> None:
    contract = PROJECT / "dbt" / "models" / "marts" / "training" / "training_examples.yml"
    (model,) = yaml.safe_load(contract.read_text())["models"]
    promised = {column["name"] for column in model["columns"]}
    expectations = {
        each.name: each for each in read_suite(PROJECT, "training_set").tables["training_examples"]
    }

    assert set(expectations["columns_exist"].columns) == promised
    derived = {"smallest_known_count"}
    assert {column for each in expectations.values() for column in each.columns} <= promised | derived
    assert set(KNOWN_COUNTS) <= promised


def test_every_event_type_is_part_of_the_gate(tmp_path: Path) -> None:
    database = tmp_path / "views.duckdb"
    make_raw_log_tables(
        Home(root=tmp_path / "var"), HourRange.parse("2026-01-05T03--2026-01-05T04"), database
    )

    assert all(view_columns(database, f"events_of_{event}") for event in EVENT_NAMES)


def test_an_unknown_gate_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="snapshot, training_set; found 'raw'"):
        read_suite(PROJECT, "raw")


def test_an_expectation_without_a_reason_is_refused(tmp_path: Path) -> None:
    path = suite_path(tmp_path, "thin")
    path.parent.mkdir(parents=True)
    path.write_text(
        "description: x\ntables: {t: [{name: a, type: expect_column_to_exist, severity: critical}]}"
    )

    with pytest.raises(UsageError, match="missing required field `why`"):
        read_suite(tmp_path, "thin")


def test_a_name_used_twice_in_a_table_is_refused(tmp_path: Path) -> None:
    line = "{name: a, type: expect_column_to_exist, severity: critical, why: Long enough to be a reason.}"
    path = suite_path(tmp_path, "twice")
    path.parent.mkdir(parents=True)
    path.write_text(f"description: x\ntables: {{t: [{line}, {line}]}}")

    with pytest.raises(UsageError, match=r"each name once in t, found \['a'\] twice"):
        read_suite(tmp_path, "twice")
