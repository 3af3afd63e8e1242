"""Runs the gates: raw log and training set. A gate that fails raises; nothing downstream may run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from letterpress.clock import Clock
from letterpress.errors import GateFailedError
from letterpress.lake.gate_views import make_raw_log_views, make_training_set_views
from letterpress.lake.partitions import HourRange
from letterpress.log import log_step
from letterpress.quality.data_docs import SITE_NAME, installed_packages, one_builder, publish_pages
from letterpress.quality.findings import GateResult, find_failures
from letterpress.quality.last_results import keep_result
from letterpress.quality.suites import gate_names, read_suite
from letterpress.quality.validation import run_suites
from letterpress.settings import Settings

RAW_LOG = "raw_log"
TRAINING_SET = "training_set"


def check_raw_log(settings: Settings, hours: HourRange, clock: Clock) -> GateResult:
    """What the raw-log gate says of the raw events of `hours`.

    Raises:
        StorageError: raw files cannot be read, or the styles of data docs are not installed.
    """
    with tempfile.TemporaryDirectory(prefix="letterpress-gate-") as folder:
        database = Path(folder) / "views.duckdb"
        tables = make_raw_log_views(settings.paths, hours, database)
        return _check(settings, RAW_LOG, hours.key, database, tables, clock)


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
        return _check(settings, TRAINING_SET, f"{recommender}@{snapshot}", database, tables, clock)


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


def _check(
    settings: Settings, gate: str, subject: str, database: Path, tables: Sequence[str], clock: Clock
) -> GateResult:
    started = time.perf_counter()
    installed_packages(settings)
    suites = {name: read_suite(settings.project, name) for name in gate_names(settings.project)}
    suite = read_suite(settings.project, gate)
    with log_step(f"gate.{gate}", subject=subject) as counts, one_builder(settings.paths):
        results, pages = run_suites(
            settings, suites, gate, database, tables, run_name=f"{gate}.{subject}", at=clock.now()
        )
        publish_pages(settings)
        findings = [
            finding
            for table in suite.tables
            for finding in find_failures(suite, table, results.get(table, []))
        ]
        critical = [finding for finding in findings if finding.severity == "critical"]
        warnings = [finding for finding in findings if finding.severity == "warning"]
        counts |= {"failed_critical": len(critical), "warnings": len(warnings)}
    page = next(
        (pages[finding.table] for finding in critical + warnings if finding.table in pages), "index.html"
    )
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
