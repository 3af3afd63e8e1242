"""How a run finds its partition, and what its refusals become in the grid."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from letterpress.errors import BrokenError, GateFailedError, NotEnoughDataError, UsageError

EXAMPLE = "2026-01-05T03--2026-01-05T04"


@pytest.fixture(scope="module")
def defaults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """The module under test, imported late: Airflow writes into its home as soon as it is imported."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
        environment.setenv("LETTERPRESS_HOME", str(tmp_path_factory.mktemp("home")))
        from letterpress.orchestration import dag_defaults

        yield dag_defaults


def run(partition_key: str | None) -> Any:
    return SimpleNamespace(partition_key=partition_key)


class Outlet:
    """Remembers what was announced, as Airflow's accessor of an asset does."""

    def __init__(self) -> None:
        self.partitions: list[str] = []

    def add_partitions(self, key: str) -> None:
        self.partitions.append(key)


def test_the_key_of_the_run_comes_before_the_field_of_the_form(defaults: ModuleType) -> None:
    assert defaults.partition_of(run("a--b"), {"partition": "c--d"}, EXAMPLE) == "a--b"
    assert defaults.partition_of(run(None), {"partition": "c--d"}, EXAMPLE) == "c--d"


@pytest.mark.parametrize("params", [{}, {"partition": None}, {"partition": ""}])
def test_a_run_without_a_partition_is_refused_with_an_example(
    defaults: ModuleType, params: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match=EXAMPLE):
        defaults.partition_of(run(None), params, EXAMPLE)


def test_a_candidate_is_a_recommender_and_a_version(defaults: ModuleType) -> None:
    assert defaults.candidate_of(run("image_enhancement@12"), {}) == ("image_enhancement", 12)


@pytest.mark.parametrize("key", ["image_enhancement", "@3", "image_enhancement@", "image_enhancement@new"])
def test_what_names_no_version_is_no_candidate(defaults: ModuleType, key: str) -> None:
    with pytest.raises(UsageError, match="image_enhancement@3"):
        defaults.candidate_of(run(key), {})


def test_a_new_partition_is_announced(defaults: ModuleType) -> None:
    asset, outlet = object(), Outlet()
    before = [SimpleNamespace(partition_key="new"), SimpleNamespace(partition_key="old")]
    defaults.announce_if_new(asset, "new", {asset: before}, {asset: outlet})
    assert outlet.partitions == ["new"]  # it was announced, but not last: the current one has changed since


def test_the_first_partition_is_announced(defaults: ModuleType) -> None:
    asset, outlet = object(), Outlet()
    defaults.announce_if_new(asset, "new", {asset: []}, {asset: outlet})
    assert outlet.partitions == ["new"]


def test_the_partition_that_was_announced_last_skips_the_task(defaults: ModuleType) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    asset, outlet = object(), Outlet()
    with pytest.raises(AirflowSkipException, match="nothing has changed"):
        defaults.announce_if_new(
            asset, "new", {asset: [SimpleNamespace(partition_key="new")]}, {asset: outlet}
        )
    assert outlet.partitions == []


def test_too_little_data_skips_the_task_with_the_reason(defaults: ModuleType) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    with pytest.raises(AirflowSkipException, match="found 3"), defaults.task_settings():
        raise NotEnoughDataError("found 3")


@pytest.mark.parametrize("refusal", [GateFailedError("found 3"), UsageError("found 3")])
def test_a_refusal_fails_the_task_without_another_try(defaults: ModuleType, refusal: Exception) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="found 3"), defaults.task_settings():
        raise refusal


def test_what_broke_is_left_to_the_retry(defaults: ModuleType) -> None:
    with pytest.raises(BrokenError), defaults.task_settings():
        raise BrokenError("the disk went away")


def test_the_form_takes_an_hour_range_and_nothing_else(defaults: ModuleType) -> None:
    pattern = f"^{defaults.HOUR}--{defaults.HOUR}$"
    parameter = defaults.partition_parameter(pattern, EXAMPLE)["partition"]
    assert parameter.resolve(EXAMPLE) == EXAMPLE
    assert parameter.resolve(None) is None
    with pytest.raises(ValueError, match="does not match"):
        parameter.resolve("yesterday")
