"""Runs expectations over views with Great Expectations. Importing it takes seconds, so it is done late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from letterpress.errors import StorageError
from letterpress.quality.data_docs import SITE_NAME
from letterpress.quality.duckdb_dialect import keep_duckdb_connections
from letterpress.quality.findings import RESULT_FORMAT
from letterpress.quality.light_import import defer_statistics
from letterpress.quality.suites import Expectation, Suite


@dataclass(frozen=True, slots=True)
class Examined:
    """What one gate looks at."""

    gate: str
    subject: str
    """The range key, or `recommender@snapshot`."""
    database: Path
    """Scratch DuckDB file with the views."""
    tables: tuple[str, ...]
    """The views that it has; a table of the suite without a view has no result."""


@dataclass(frozen=True, slots=True)
class Validated:
    """Results of the expectations of one gate, and the key under which each table's are kept, by table."""

    results: dict[str, list[dict[str, Any]]]
    keys: dict[str, Any]


def run_suite(context: Any, suite: Suite, examined: Examined, *, threads: int, at: datetime) -> Validated:
    """What `suite` says of the tables that were made."""
    source = connect_views(context, examined.database, threads)
    run_name = f"{examined.gate}.{examined.subject}"
    try:
        validated = {
            table: validate_table(context, source, f"{examined.gate}.{table}", run_name, at)
            for table in suite.tables
            if table in examined.tables
        }
    finally:
        context.data_sources.delete(source.name)
    return Validated(
        results={
            table: [expectation.to_json_dict() for expectation in result.results]
            for table, (result, _) in validated.items()
        },
        keys={table: key for table, (_, key) in validated.items()},
    )


def _files(base: Path) -> dict[str, str]:
    return {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(base)}


def open_context(folder: Path, suites: Mapping[str, Suite]) -> Any:
    """A context that knows `suites`, keeps results and pages in `folder` and tells nobody about it."""
    defer_statistics()
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    keep_duckdb_connections()
    defaults = InMemoryStoreBackendDefaults()
    defaults.stores[defaults.validation_results_store_name]["store_backend"] = _files(folder / "results")
    defaults.data_docs_sites = {
        SITE_NAME: {
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "store_backend": _files(folder / "pages"),
            "site_section_builders": {"profiling": "none"},
        }
    }
    config = DataContextConfig(
        store_backend_defaults=defaults,
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    context = gx.get_context(project_config=config, mode="ephemeral")
    _add_suites(context, suites)
    return context


def _add_suites(context: Any, suites: Mapping[str, Suite]) -> None:
    """Make every suite known, so that pages of all gates stay on the site: `<gate>.<table>`."""
    import great_expectations as gx

    for gate, suite in suites.items():
        for table, expectations in suite.tables.items():
            context.suites.add(
                gx.ExpectationSuite(
                    name=f"{gate}.{table}",
                    expectations=[_configuration(expectation) for expectation in expectations],
                    meta={"description": suite.description},
                )
            )


def _configuration(expectation: Expectation) -> dict[str, Any]:
    return {
        "type": expectation.type,
        "kwargs": expectation.kwargs,
        "severity": expectation.severity,
        "description": f"{expectation.sentence}. {expectation.why} ({expectation.severity})",
        "meta": {
            "name": expectation.name,
            "why": expectation.why,
            "severity": expectation.severity,
        },
    }


def connect_views(context: Any, database: Path, threads: int) -> Any:
    """The scratch DuckDB file of views as a data source, read only."""
    arguments = {"read_only": True, "config": {"threads": threads}}
    return context.data_sources.add_sql(
        "lake", connection_string=f"duckdb:///{database}", kwargs={"connect_args": arguments}
    )


def validate_table(context: Any, source: Any, suite: str, run_name: str, at: datetime) -> tuple[Any, Any]:
    """The validation result of the table that `suite` is about, and the key under which it is kept.

    Raises:
        StorageError: the table's files cannot be read at all.
    """
    import great_expectations as gx
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )
    from great_expectations.datasource.fluent.interfaces import TestConnectionError

    table = suite.rpartition(".")[2]
    try:
        asset = source.add_table_asset(table, table_name=table)
    except TestConnectionError as error:
        found = str(error.__cause__ or error).partition("\n")[0]
        raise StorageError(
            f"{table}: expected Parquet files that can be read, found {found}. Remove the file that it "
            "names, run `letterpress lake --reindex`, and import its logs again."
        ) from error
    batch = asset.add_batch_definition_whole_table("whole")
    definition = context.validation_definitions.add_or_update(
        gx.ValidationDefinition(name=suite, data=batch, suite=context.suites.get(suite))
    )
    run = RunIdentifier(run_name=run_name, run_time=at)
    result = definition.run(result_format=RESULT_FORMAT, run_id=run)
    key = ValidationResultIdentifier(
        expectation_suite_identifier=ExpectationSuiteIdentifier(name=suite),
        run_id=run,
        batch_identifier=f"{source.name}-{table}",
    )
    return result, key
