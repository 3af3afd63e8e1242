"""
### Train a challenger for every recommender

**Reads** one published snapshot; its id is the partition. **Writes** a model bundle and registers it, then
announces it as a partition of `candidate_model`: `image_enhancement@3`.

Each recommender is a lane of its own: its training set is checked by the suite `training_set`, then a
ranker is trained on a temporal split.

**Rerun** whenever you like: seeds are fixed, so the same snapshot gives the same model, which is found
registered already, announced again, and gets the same verdict.

**Better parameters, or trees that go on from the champion's**: what the recommender declares (`tuning`,
`warm_start`) holds for every run; the fields of the trigger form hold for one. A search that was killed goes
on where it was when the task is cleared; its trials are in `registry/tuning/` and on the card.

**When it fails or skips**
- `check_training_set` failed: the message names the expectation and the numbers. Nothing was trained; the
  champion goes on serving.
- `train_challenger` skipped: too little to learn from, the reason is in its log. It will try again with
  the next snapshot.
"""

from typing import Any

from airflow.sdk import DAG, Param, PartitionedAssetTimetable, task, task_group
from assets import CANDIDATE_MODEL, FEATURE_SNAPSHOT

from letterpress.orchestration.dag_defaults import (
    DAG_OPTIONS,
    partition_of,
    partition_parameter,
    task_settings,
)
from letterpress.orchestration.shared_tasks import refresh_site

EXAMPLE = "1f0c9e62ab3d4587"
LANE = "{{ task.op_kwargs['recommender'] }}"
WISHES = {
    "tuning_trials": Param(None, type=["null", "integer"], minimum=0, description="Parameters to try first"),
    "tuning_cpu_seconds": Param(
        None, type=["null", "number"], minimum=0, description="No trial begins later"
    ),
    "warm_start": Param(None, type=["null", "boolean"], description="Go on from the champion's trees"),
}

with DAG(
    "train_ranker",
    schedule=PartitionedAssetTimetable(assets=FEATURE_SNAPSHOT),
    doc_md=__doc__,
    params=partition_parameter("^[0-9a-f]{16}$", EXAMPLE) | WISHES,
    **DAG_OPTIONS,
):

    @task
    def list_recommenders(*, dag_run: Any = None, params: Any = None) -> list[str]:
        """The recommenders that have training rows in the snapshot."""
        from letterpress.orchestration.publish_features import trainable_recommenders

        with task_settings() as settings:
            return trainable_recommenders(settings, partition_of(dag_run, params, EXAMPLE))

    @task(map_index_template=LANE, max_active_tis_per_dag=1)
    def check_training_set(recommender: Any, *, dag_run: Any = None, params: Any = None) -> dict[str, Any]:
        """The suite `training_set` on the recommender's training set."""
        from letterpress.orchestration.run_gate import run_training_set_gate

        with task_settings() as settings:
            return run_training_set_gate(settings, recommender, partition_of(dag_run, params, EXAMPLE))

    @task(outlets=[CANDIDATE_MODEL], map_index_template=LANE, max_active_tis_per_dag=1)
    def train_challenger(
        recommender: str, *, dag_run: Any = None, params: Any = None, outlet_events: Any = None
    ) -> dict[str, Any]:
        """Train and register; announce the version."""
        from letterpress.orchestration.train_challenger import TrainingWishes
        from letterpress.orchestration.train_challenger import train_challenger as train

        with task_settings() as settings:
            wishes = TrainingWishes(**{name: params[name] for name in WISHES})
            trained = train(settings, recommender, partition_of(dag_run, params, EXAMPLE), wishes)
        outlet_events[CANDIDATE_MODEL].add_partitions(f"{recommender}@{trained['version']}")
        return trained

    @task_group
    def lane(recommender: Any) -> None:
        """One recommender, from its training set to a candidate."""
        check_training_set(recommender=recommender) >> train_challenger(recommender=recommender)

    lane.expand(recommender=list_recommenders()) >> refresh_site()
