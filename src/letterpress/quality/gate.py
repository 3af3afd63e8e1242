"""Runs the gates: raw log and training set. A gate that fails raises; nothing downstream may run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from letterpress.clock import Clock
from letterpress.errors import GateFailedError
from letterpress.lake.gate_views import make_raw_log_views, make_training_set_views
from letterpress.lake.partitions import HourRange
from letterpress.lake.raw_readers import reading_raw
from letterpress.log import log_step
from letterpress.quality.data_docs import (
    SITE_NAME,
    build_pages,
    installed_packages,
    one_builder,
    publish_pages,
    working_folder,
)
from letterpress.quality.findings import GateResult, find_failures
from letterpress.quality.last_results import keep_result
from letterpress.quality.suites import Suite, gate_names, read_suite
from letterpress.quality.validation import Examined, Validated, open_context, page_of, run_suite
from letterpress.settings import Settings

RAW_LOG = "raw_log"
TRAINING_SET = "training_set"


def check_raw_log(settings: Settings, hours: HourRange, clock: Clock) -> GateResult:
    """What the raw-log gate says of the raw events of `hours`.

    Raises:
        StorageError: raw files cannot be read, or the styles of data docs are not installed.
        AlreadyRunningError: files of raw are being replaced, for longer than one waits.
    """
    with reading_raw(settings.paths), tempfile.TemporaryDirectory(prefix="letterpress-gate-") as folder:
        database = Path(folder) / "views.duckdb"
        tables = make_raw_log_views(settings.paths, hours, database)
        return _check(settings, Examined(RAW_LOG, hours.key, database, tables), clock)


def check_training_set(
    settings: Settings, recommender: str, snapshot: str, training: Path, clock: Clock
) -> GateResult:
    """What the training-set gate says of the file `training` of one recommender in one snapshot.

    Raises:
        StorageError: the file cannot be read, or the styles of data docs are not installed.
    """
    with tempfile.TemporaryDirectory(prefix="letterpress-gate-") as folder:
        database = Path(folder) / "views.duckdb"
        tables = make_training_set_views(training, database)
        examined = Examined(TRAINING_SET, f"{recommender}@{snapshot}", database, tables)
        return _check(settings, examined, clock)


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


def _check(settings: Settings, examined: Examined, clock: Clock) -> GateResult:
    started = time.perf_counter()
    installed_packages(settings)
    suites = {name: read_suite(settings.project, name) for name in gate_names(settings.project)}
    suite = suites[examined.gate]
    with (
        log_step(f"gate.{examined.gate}", subject=examined.subject) as counts,
        one_builder(settings.paths),
    ):
        validated, pages = _validate_and_document(settings, suites, examined, clock)
        findings = [
            finding
            for table in suite.tables
            for finding in find_failures(suite, table, validated.results.get(table, []))
        ]
        critical = [finding for finding in findings if finding.severity == "critical"]
        warnings = [finding for finding in findings if finding.severity == "warning"]
        counts |= {"failed_critical": len(critical), "warnings": len(warnings)}
        shown = (pages[finding.table] for finding in critical + warnings if finding.table in pages)
        page = next(shown, "index.html")
        result = GateResult(
            gate=examined.gate,
            subject=examined.subject,
            passed=not critical,
            expectations=suite.size,
            failed_critical=critical,
            warnings=warnings,
            seconds=round(time.perf_counter() - started, 3),
            docs_url=f"http://{settings.site.host}:{settings.site.port}/{SITE_NAME}/{page}",
        )
        keep_result(settings.paths, result, page, clock)
    return result


def _validate_and_document(
    settings: Settings, suites: Mapping[str, Suite], examined: Examined, clock: Clock
) -> tuple[Validated, dict[str, str]]:
    """Results, and the published page of each table within the site."""
    context = open_context(working_folder(settings.paths), suites)
    suite = suites[examined.gate]
    validated = run_suite(context, suite, examined, threads=settings.threads, at=clock.now())
    build_pages(context, list(validated.keys.values()))
    pages = {table: page_of(context, key) for table, key in validated.keys.items()}
    publish_pages(settings)
    return validated, pages
