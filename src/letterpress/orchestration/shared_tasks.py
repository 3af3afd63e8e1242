"""Tasks that several DAGs end with."""

from __future__ import annotations

from typing import Any

from airflow.sdk import task

from letterpress.orchestration.dag_defaults import task_settings


@task(task_id="refresh_site", retries=0)
def _refresh_site() -> dict[str, Any]:
    """The pages that show what came in, what the gates said and what is served."""
    from letterpress.orchestration.build_site import build_site

    with task_settings() as settings:
        return build_site(settings)


def refresh_site() -> Any:
    """Rewrite the pages at the end of a run, also of one that failed, without a say in its state."""
    return _refresh_site().as_teardown()
