"""What all DAG files share: pool, retries, parameters, and how a run finds its partition.

Imported at every DAG parse, so nothing heavy may be imported here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, Param
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from letterpress.errors import NotEnoughDataError, RefusedError, UsageError
from letterpress.settings import Settings, read_settings

DEFAULT_ARGS: dict[str, Any] = {
    "owner": "data engineering",
    "retries": 1,  # never 0 on dbt's producer: its failure could then not be repaired by retried models
    "retry_delay": timedelta(seconds=5),
}

DAG_OPTIONS: dict[str, Any] = {
    "catchup": False,
    "max_active_runs": 1,
    "default_args": DEFAULT_ARGS,
    "is_paused_upon_creation": False,
    "tags": ["letterpress"],
}

HOUR = r"\d{4}-\d\d-\d\dT\d\d"


def partition_parameter(pattern: str, example: str) -> dict[str, Param]:
    """The field of the trigger form for those who start a run by hand without a partition key."""
    description = f"Used when the run has no partition key, e.g. {example}"
    return {"partition": Param(None, type=["null", "string"], pattern=pattern, description=description)}


def partition_of(dag_run: Any, params: Mapping[str, Any], example: str) -> str:
    """The partition that this run rewrites: its key, else the parameter of the trigger form.

    Raises:
        UsageError: it has neither; "the latest" is never guessed.
    """
    key = dag_run.partition_key or params.get("partition")
    if not key:
        raise UsageError(
            f"expected a partition key, or the parameter `partition`, found neither. "
            f"Trigger the run again with one, e.g. {example}."
        )
    return str(key)


@contextmanager
def task_settings() -> Iterator[Settings]:
    """The settings, for the length of a task; our refusals become states that the grid shows.

    Too little data skips the task with the reason. A gate that said no, or a wrong parameter, fails it
    at once: another try would find the same.
    """
    try:
        yield read_settings()
    except NotEnoughDataError as error:
        raise AirflowSkipException(str(error)) from error
    except (RefusedError, UsageError) as error:
        raise AirflowFailException(f"{error.title}: {error}") from error


def candidate_of(dag_run: Any, params: Mapping[str, Any]) -> tuple[str, int]:
    """Recommender and version that a partition like `image_enhancement@3` names.

    Raises:
        UsageError: there is no partition, or it does not have that form.
    """
    key = partition_of(dag_run, params, "image_enhancement@3")
    recommender, _, version = key.partition("@")
    if not recommender or not version.isdigit():
        raise UsageError(f"expected a partition like image_enhancement@3, found {key!r}; trigger it again.")
    return recommender, int(version)


def announce_if_new(asset: Asset, key: str, inlet_events: Any, outlet_events: Any) -> None:
    """Announce the partition `key`; skips the task when it is the one that was announced last.

    Skipped, because a task that succeeds and announces nothing still announces its run's own key. The
    task needs the asset as inlet and outlet.
    """
    announced = [event.partition_key for event in inlet_events[asset]]
    if announced[-1:] == [key]:
        raise AirflowSkipException(f"nothing has changed: {key} is the partition that was announced last")
    outlet_events[asset].add_partitions(key)
