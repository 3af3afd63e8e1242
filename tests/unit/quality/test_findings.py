from typing import Any

from letterpress.quality.findings import describe_result, find_failures
from letterpress.quality.suites import Expectation, Severity, Suite


def suite_of(severity: Severity) -> Suite:
    expectation = Expectation(
        name="ids_are_unique",
        type="expect_column_values_to_be_unique",
        severity=severity,
        why="Because it must.",
    )
    return Suite(description="x", tables={"events": [expectation]})


def result_of(*, success: bool, **more: Any) -> dict[str, Any]:
    config = {"meta": {"name": "ids_are_unique"}}
    return {"success": success, "expectation_config": config, **more}


def test_what_holds_is_no_finding() -> None:
    assert find_failures(suite_of("critical"), "events", [result_of(success=True)]) == []


def test_a_failure_is_told_in_counts_without_values() -> None:
    detail = {"element_count": 48112, "unexpected_count": 12, "partial_unexpected_list": []}
    (finding,) = find_failures(suite_of("critical"), "events", [result_of(success=False, result=detail)])

    assert str(finding) == "events.ids_are_unique found 12 of 48,112 rows"
    assert finding.severity == "critical"


def test_a_warning_stays_a_warning() -> None:
    detail = {"element_count": 2, "unexpected_count": 1}
    (finding,) = find_failures(suite_of("warning"), "events", [result_of(success=False, result=detail)])

    assert finding.severity == "warning"


def test_what_cannot_be_evaluated_is_critical_even_for_a_warning() -> None:
    info = {"some metric": {"raised_exception": True, "exception_message": "no such column\nand more"}}
    (finding,) = find_failures(
        suite_of("warning"), "events", [result_of(success=False, exception_info=info, result={})]
    )

    assert finding.severity == "critical"
    assert finding.found == "that it cannot be evaluated (no such column)"


def test_a_table_that_could_not_be_made_fails_all_that_is_expected_of_it() -> None:
    (finding,) = find_failures(suite_of("warning"), "events", [])

    assert (finding.severity, finding.found) == ("critical", "that its table cannot be built")


def test_missing_columns_are_named() -> None:
    detail = {"details": {"mismatched": {"missing": ["b", "a"]}}, "observed_value": ["c"]}

    assert describe_result({"result": detail}) == "that columns are missing: a, b"
