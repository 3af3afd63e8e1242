"""
### Build features and training sets for a range of hours

**Reads** `raw/` for the hours of the partition. **Writes** `warehouse.duckdb` through dbt. The suite
`features` checks the marts and the suite `snapshot` what was written of them; then the snapshot is
published under `snapshots/` and announced as a partition of `feature_snapshot`.

A partition is a range of UTC hours, end exclusive: `2026-01-05T03--2026-01-05T04`. Every model is a task
of its own, one dbt process does the work, and the pool `warehouse` keeps it at one writer: also when
you clear a single model, which then runs dbt for itself.

**Rerun** a range by triggering this DAG with its partition key: that is quicker than clearing the whole
run (one dbt process instead of one a model) and leaves the same data. Clearing one model rebuilds that
model alone; add "downstream" to have what builds on it rebuilt and announced.

**Backfill** days or a month in one run: "Trigger", and write `2026-01-01T00--2026-02-01T00` into the field
`partition` of the form. Airflow's "Backfill" is for DAGs that follow a calendar; this one follows an asset,
and 720 runs of an hour would take hours. A range leaves what its hours one by one would have left.

**When it fails** the service goes on with the last good snapshot.
- a model or its test: the log of that task names the rows; mend the model or the data, clear the task.
- a model, because its columns are out of sync or missing: the warehouse was built by another version. Pause
  this DAG, run `letterpress features --full-refresh`, which says what differs, and go on.
- `publish_features`, gate failed: the message names suite, expectation and numbers; nothing was published.
  Mend the sender or the model, ingest or build again, and trigger the range.
- `publish_features`, otherwise: the disk is full or the warehouse is locked by another program; the
  message says which. Clear the task.
- `report_skew`: slates were served with features that come out differently when `audit_skew` computes them
  again. The message names them, the page `skew.html` shows examples. No model is released until an audit
  finds none: mend the cause, then clear `audit_skew` with downstream.

A range whose rebuild changes nothing gives the snapshot that was announced last: `announce` is skipped then.
To train on it again, trigger `train_ranker` with its id.
"""

from typing import Any

from airflow.sdk import DAG, PartitionedAssetTimetable, task
from assets import FEATURE_SNAPSHOT, RAW_EVENTS

from letterpress.orchestration.airflow_environment import WAREHOUSE_POOL
from letterpress.orchestration.dag_defaults import (
    DAG_OPTIONS,
    HOUR,
    announce_if_new,
    partition_of,
    partition_parameter,
    task_settings,
)
from letterpress.orchestration.dbt_tasks import dbt_task_group, range_bounds
from letterpress.orchestration.shared_tasks import refresh_site

EXAMPLE = "2026-01-05T03--2026-01-05T04"

with DAG(
    "build_features",
    schedule=PartitionedAssetTimetable(assets=RAW_EVENTS),
    doc_md=__doc__,
    params=partition_parameter(f"^{HOUR}--{HOUR}$", EXAMPLE),
    user_defined_macros={"range_bounds": range_bounds},
    **DAG_OPTIONS,
):

    @task
    def check_range(*, dag_run: Any = None, params: Any = None) -> list[str]:
        """First and last hour of the partition; fails with a sentence when there is none."""
        from letterpress.lake.partitions import HourRange
        from letterpress.orchestration.build_features import start_build

        with task_settings() as settings:
            start_build(settings, HourRange.parse(partition_of(dag_run, params, EXAMPLE)))
            return range_bounds(dag_run, params)

    @task(pool=WAREHOUSE_POOL)
    def publish_features(*, dag_run: Any = None, params: Any = None) -> dict[str, Any]:
        """Publish what dbt built as one immutable snapshot, when the gates let it pass."""
        from letterpress.orchestration.publish_features import publish_checked_features as publish

        with task_settings() as settings:
            return publish(settings, partition_of(dag_run, params, EXAMPLE))

    @task(inlets=[FEATURE_SNAPSHOT], outlets=[FEATURE_SNAPSHOT])
    def announce(published: Any, *, inlet_events: Any = None, outlet_events: Any = None) -> None:
        """Tell whoever trains; skipped when nothing has changed since the last time."""
        announce_if_new(FEATURE_SNAPSHOT, published["snapshot"], inlet_events, outlet_events)

    @task(pool=WAREHOUSE_POOL)  # so that raw does not change meanwhile
    def audit_skew() -> dict[str, Any]:
        """Compute served features again from raw; while they differ, nothing is released."""
        from letterpress.orchestration.audit_skew import audit_skew as audit

        with task_settings() as settings:
            found = audit(settings)
        return {name: found[name] for name in ("compared", "mismatches", "seconds")}

    @task
    def report_skew() -> None:
        """Fail when the audit found skew; what was published is announced all the same."""
        from letterpress.orchestration.audit_skew import report_skew as report

        with task_settings() as settings:
            report(settings)

    published, audited = publish_features(), audit_skew()
    announced = announce(published)
    check_range() >> dbt_task_group("dbt") >> published >> audited
    audited >> report_skew()
    audited >> announced >> refresh_site()
