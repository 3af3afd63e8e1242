"""What a gate found, in counts and never in values: data docs and logs show no customer's data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from letterpress.quality.suites import Expectation, Severity, Suite

RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}
"""Counts of what was unexpected, and not one value of it."""


class Finding(Struct, kw_only=True, frozen=True):
    """One expectation that did not hold."""

    table: str
    expectation: str
    severity: Severity
    found: str
    """Counts as words, e.g. `12 of 1,000 rows`."""
    why: str

    def __str__(self) -> str:
        return f"{self.table}.{self.expectation} found {self.found}"


class GateResult(Struct, kw_only=True, frozen=True):
    """What a gate said of one range or snapshot."""

    gate: str
    subject: str
    """The range key, or `recommender@snapshot`."""
    passed: bool
    expectations: int
    failed_critical: list[Finding]
    warnings: list[Finding]
    seconds: float
    docs_url: str


def describe_result(result: Mapping[str, Any]) -> str:
    """The counts of one validation result, as words.

    >>> describe_result({"result": {"element_count": 1000, "unexpected_count": 12}})
    '12 of 1,000 rows'
    >>> describe_result({"result": {"observed_value": 0}})
    '0'
    """
    raised = _raised_message(result.get("exception_info") or {})
    if raised:
        return f"that it cannot be evaluated ({raised})"
    detail = result.get("result") or {}
    if "unexpected_count" in detail:
        return f"{detail['unexpected_count']:,} of {detail['element_count']:,} rows"
    missing = _missing_columns(detail)
    if missing:
        return f"that columns are missing: {', '.join(missing)}"
    observed = detail.get("observed_value")
    return f"{observed:,}" if isinstance(observed, int | float) else "no value"


def _raised_message(info: dict[str, Any]) -> str:
    """The first exception's message, cut to one line; a map of exceptions by metric is flattened."""
    entries: list[Any] = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if isinstance(entry, dict) and entry.get("raised_exception"):
            return str(entry.get("exception_message") or "no message").splitlines()[0][:160]
    return ""


def _missing_columns(detail: Mapping[str, Any]) -> Sequence[str]:
    mismatched = (detail.get("details") or {}).get("mismatched") or {}
    return sorted(mismatched.get("missing") or ())


def find_failures(suite: Suite, table: str, results: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """A finding for every expectation of `table` that did not hold or could not be evaluated.

    A warning that cannot be evaluated counts as critical: a gate that skips is no gate.
    """
    by_name = {str(result["expectation_config"]["meta"]["name"]): result for result in results}
    findings = []
    for expectation in suite.tables[table]:
        result = by_name.get(expectation.name)
        if result is not None and result["success"]:
            continue
        findings.append(_finding(table, expectation, result))
    return findings


def _finding(table: str, expectation: Expectation, result: Mapping[str, Any] | None) -> Finding:
    blind = result is None or bool(_raised_message(result.get("exception_info") or {}))
    found = describe_result(result) if result is not None else "that its table cannot be built"
    return Finding(
        table=table,
        expectation=expectation.name,
        severity="critical" if blind else expectation.severity,
        found=found,
        why=expectation.why,
    )
