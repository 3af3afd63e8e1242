"""
### Judge a candidate, and release it when it wins

The partition is a registered model: `image_enhancement@3`. **Reads** its bundle, the champion's, and the
test part of the snapshot that it was trained on. **Writes** the verdict with all its numbers; for a winner
the alias `champion`, a Bento, and the pointer that the running service follows.

1. `ensure_champion`: a recommender without a champion gets the popularity baseline as its first one.
2. `judge`: the challenger's paired interval over the champion must clear the bar that the recommender
   declares. Where rows are single slots it is judged off-policy, and refused when support is too thin.
3. `release`: **skipped when the verdict is no**. That is a normal end: the reason, with the numbers, is in
   the log of `judge`, in its XCom `reason`, and on the site.
4. `refresh_site`: the pages show the verdict either way.

**Rerun** at will: the same version gives the same verdict, and a Bento that exists is not built again.
**Roll back** with `letterpress rollback`.

**When it fails** the service goes on with the champion that it has.
- `judge`: a bundle or a snapshot is missing or damaged; the message names it.
- `release`: nothing was switched, as the pointer is written last, in one rename. Mend what the message
  names, and clear the task.
"""

from typing import Any

from airflow.sdk import DAG, PartitionedAssetTimetable, task
from airflow.sdk.exceptions import AirflowSkipException
from assets import CANDIDATE_MODEL

from letterpress.orchestration.dag_defaults import (
    DAG_OPTIONS,
    candidate_of,
    partition_parameter,
    task_settings,
)
from letterpress.orchestration.shared_tasks import refresh_site

with DAG(
    "release_model",
    schedule=PartitionedAssetTimetable(assets=CANDIDATE_MODEL),
    doc_md=__doc__,
    params=partition_parameter(r"^[a-z][a-z0-9_]*@\d+$", "image_enhancement@3"),
    **DAG_OPTIONS,
):

    @task
    def ensure_champion(*, dag_run: Any = None, params: Any = None) -> dict[str, Any]:
        """The champion; popularity becomes the first one."""
        from letterpress.orchestration.bootstrap_champion import bootstrap_champion_for

        with task_settings() as settings:
            recommender, version = candidate_of(dag_run, params)
            return bootstrap_champion_for(settings, recommender, version)

    @task
    def judge(*, dag_run: Any = None, params: Any = None) -> dict[str, Any]:
        """The verdict: promoted or not, the reason, the numbers."""
        from letterpress.orchestration.judge_challenger import judge_challenger

        with task_settings() as settings:
            recommender, version = candidate_of(dag_run, params)
            return judge_challenger(settings, recommender, version)

    @task
    def release(verdict: Any, *, dag_run: Any = None, params: Any = None) -> dict[str, Any]:
        """Alias, Bento, pointer; skipped with the verdict's reason when it is no."""
        from letterpress.orchestration.release_challenger import release_challenger

        if not verdict["promoted"]:
            raise AirflowSkipException(verdict["reason"])
        with task_settings() as settings:
            recommender, version = candidate_of(dag_run, params)
            return release_challenger(settings, recommender, version)

    verdict = judge()
    ensure_champion() >> verdict
    release(verdict) >> refresh_site()
