"""dbt inside Airflow: every model a task, one dbt process, one writer (ADR 0003)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cosmos import DbtTaskGroup, ExecutionConfig, LoadMode, ProfileConfig, ProjectConfig, RenderConfig
from cosmos.constants import ExecutionMode, InvocationMode, TestBehavior

from letterpress.lake.complete_hours import range_to_build
from letterpress.lake.partitions import HourRange, format_hour
from letterpress.orchestration.airflow_environment import WAREHOUSE_POOL
from letterpress.settings import read_settings


def range_bounds(dag_run: Any, params: Mapping[str, Any]) -> list[str]:
    """First hour and end hour (exclusive) of what the run builds; empty strings for all of history.

    That is its partition, unless raw lost events since the last build.

    Raises:
        UsageError: the partition is no range of hours. It ends up in SQL, so nothing else may pass.
    """
    key = dag_run.partition_key or params.get("partition")
    if not key:
        return ["", ""]
    hours = range_to_build(read_settings().paths, HourRange.parse(str(key)))
    if hours is None:
        return ["", ""]
    return [format_hour(hours.start), format_hour(hours.end)]


def dbt_task_group(group_id: str) -> DbtTaskGroup:
    """The dbt project as a task group, from its manifest; the DAG must offer the macro `range_bounds`.

    The range goes in as environment variables and not as dbt variables: dbt parses the whole project
    again whenever a variable changes.
    """
    settings = read_settings()
    project = settings.project / "dbt"
    return DbtTaskGroup(
        group_id=group_id,
        project_config=ProjectConfig(
            dbt_project_path=project,
            manifest_path=settings.paths.airflow / "dbt" / "manifest.json",
            project_name="letterpress",
            install_dbt_deps=False,
            env_vars={
                "RANGE_START": "{{ range_bounds(dag_run, params)[0] }}",
                "RANGE_END": "{{ range_bounds(dag_run, params)[1] }}",
            },
        ),
        profile_config=ProfileConfig("letterpress", "local", profiles_yml_filepath=project / "profiles.yml"),
        render_config=RenderConfig(
            load_method=LoadMode.DBT_MANIFEST, test_behavior=TestBehavior.AFTER_EACH, emit_datasets=False
        ),
        execution_config=ExecutionConfig(
            execution_mode=ExecutionMode.WATCHER, invocation_mode=InvocationMode.DBT_RUNNER
        ),
        operator_args={
            "pool": WAREHOUSE_POOL,  # also on the models: a retried or cleared one runs dbt itself
            "deferrable": False,  # so that no triggerer is needed
            "mode": "reschedule",  # gives the slot back between looks
            "poke_interval": 2,
        },
    )
