"""Runs the gates. A gate that fails raises; nothing downstream may run.

A gate validates and keeps its results, no more: the pages that show them are built by `document_results`,
which nobody waits for.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from letterpress.clock import Clock
from letterpress.errors import GateFailedError
from letterpress.lake.feature_gate_facts import write_feature_facts
from letterpress.lake.gate_views import make_training_set_views
from letterpress.lake.partitions import HourRange
from letterpress.lake.raw_log_facts import RawLogContext, Vocabularies, make_raw_log_tables
from letterpress.lake.raw_readers import reading_raw
from letterpress.lake.served_facts import ServedContext, make_served_tables
from letterpress.lake.snapshot_gate_facts import SnapshotUnderTest, write_snapshot_facts
from letterpress.log import log_step
from letterpress.quality.data_docs import (
    SITE_NAME,
    build_pages,
    installed_packages,
    one_builder,
    page_of_key,
    publish_pages,
    undocumented,
    working_folder,
)
from letterpress.quality.findings import GateResult, find_failures
from letterpress.quality.last_results import keep_result
from letterpress.quality.suites import gate_names, read_suite
from letterpress.quality.validation import Examined, open_context, run_suite
from letterpress.settings import Settings

RAW_LOG = "raw_log"
FEATURES = "features"
SNAPSHOT = "snapshot"
SERVED_PREDICTIONS = "served_predictions"
TRAINING_SET = "training_set"

MakeTables = Callable[[Path], Sequence[str]]
"""Makes what a gate looks at in the new DuckDB file that it is given; the names of its tables."""


def check_raw_log(
    settings: Settings, hours: HourRange, clock: Clock, vocabularies: Vocabularies | None = None
) -> GateResult:
    """What the raw-log gate says of the raw events of `hours`; `vocabularies` are the known categories.

    Raises:
        StorageError: raw files cannot be read, or the styles of data docs are not installed.
        AlreadyRunningError: files of raw are being replaced, for longer than one waits.
    """
    context = RawLogContext(clock.now(), vocabularies or {})
    with reading_raw(settings.paths):
        return _check(
            settings,
            RAW_LOG,
            hours.key,
            lambda database: make_raw_log_tables(settings.paths, hours, database, context),
            clock,
        )


def check_features(settings: Settings, hours: HourRange | None, clock: Clock) -> GateResult:
    """What the feature gate says of the marts in the warehouse; `hours` were rebuilt, else all of history.

    Raises:
        NotYetThereError: there is no warehouse.
        BrokenError: another process writes it.
        StorageError: a mart that features are made of is missing.
        AlreadyRunningError: files of raw are being replaced, for longer than one waits.
    """
    subject = hours.key if hours else "all"
    with reading_raw(settings.paths):
        return _check(
            settings,
            FEATURES,
            subject,
            lambda database: write_feature_facts(settings.paths, hours, database, threads=settings.threads),
            clock,
        )


def check_snapshot(settings: Settings, under_test: SnapshotUnderTest, clock: Clock) -> GateResult:
    """What the snapshot gate says of a snapshot that is written and not yet the current one.

    Raises:
        StorageError: a file of it cannot be read, or the styles of data docs are not installed.
    """
    return _check(
        settings,
        SNAPSHOT,
        under_test.snapshot,
        lambda database: write_snapshot_facts(settings.paths, under_test, database),
        clock,
    )


def check_served_predictions(
    settings: Settings, hours: HourRange, context: ServedContext, clock: Clock
) -> GateResult:
    """What the gate on served predictions says of the slates of `hours` that a model of ours ordered.

    Raises:
        StorageError: raw files cannot be read, or the styles of data docs are not installed.
        AlreadyRunningError: files of raw are being replaced, for longer than one waits.
    """
    with reading_raw(settings.paths):
        return _check(
            settings,
            SERVED_PREDICTIONS,
            hours.key,
            lambda database: make_served_tables(settings.paths, hours, database, context),
            clock,
        )


def check_training_set(
    settings: Settings,
    recommender: str,
    snapshot: str,
    training: Path,
    clock: Clock,
    leakage: Sequence[Mapping[str, Any]] = (),
) -> GateResult:
    """What the training-set gate says of the file `training` of one recommender in one snapshot.

    `leakage` says how well single features tell the labels: `feature`, `label`, `separation`.

    Raises:
        StorageError: the file cannot be read, or the styles of data docs are not installed.
    """
    return _check(
        settings,
        TRAINING_SET,
        f"{recommender}@{snapshot}",
        lambda database: make_training_set_views(training, database, leakage),
        clock,
    )


def refuse_failures(result: GateResult) -> GateResult:
    """`result` when it passed.

    Raises:
        GateFailedError: it did not; the sentence names gate, expectation, counts and what to do.
    """
    if result.passed:
        return result
    first, *others = result.failed_critical
    more = f" {len(others)} more: {'; '.join(str(finding) for finding in others)}." if others else ""
    raise GateFailedError(
        f"gate {result.gate} refused {result.subject}: {first}. {first.why}{more} Nothing downstream runs. "
        f"Read {result.docs_url}, mend the data, ingest it again, and rerun this step."
    )


def _check(settings: Settings, gate: str, subject: str, make: MakeTables, clock: Clock) -> GateResult:
    started = time.perf_counter()
    installed_packages(settings)
    suite = read_suite(settings.project, gate)
    with log_step(f"gate.{gate}", subject=subject) as counts, _scratch() as database:
        tables = tuple(make(database))
        context = open_context(working_folder(settings.paths), {gate: suite})
        examined = Examined(gate, subject, database, tables)
        validated = run_suite(context, suite, examined, threads=settings.threads, at=clock.now())
        findings = [
            finding
            for table in suite.tables
            for finding in find_failures(suite, table, validated.results.get(table, []))
        ]
        critical = [finding for finding in findings if finding.severity == "critical"]
        warnings = [finding for finding in findings if finding.severity == "warning"]
        counts |= {"failed_critical": len(critical), "warnings": len(warnings)}
        shown = (each.table for each in critical + warnings if each.table in validated.keys)
        worst = next(shown, None)
        page = page_of_key(validated.keys[worst]) if worst else "index.html"
        result = GateResult(
            gate=gate,
            subject=subject,
            passed=not critical,
            expectations=suite.size,
            failed_critical=critical,
            warnings=warnings,
            seconds=round(time.perf_counter() - started, 3),
            docs_url=f"http://{settings.site.host}:{settings.site.port}/{SITE_NAME}/{page}",
        )
        keep_result(settings.paths, result, page, clock)
    return result


@contextmanager
def _scratch() -> Iterator[Path]:
    """A place for a DuckDB file that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="letterpress-gate-") as folder:
        yield Path(folder) / "views.duckdb"


def document_results(settings: Settings) -> int:
    """Build the pages of all results that have none yet, and publish them; how many there were.

    Raises:
        StorageError: the styles of data docs are not installed.
    """
    with one_builder(settings.paths):
        if not undocumented(settings.paths):
            return 0
        installed_packages(settings)
        suites = {name: read_suite(settings.project, name) for name in gate_names(settings.project)}
        context = open_context(working_folder(settings.paths), suites)
        with log_step("data_docs") as counts:
            built = build_pages(settings.paths, context)
            publish_pages(settings)
            counts["results"] = built
        return built
