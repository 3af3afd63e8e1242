"""
### Bring landed logs into raw

**Reads** every closed file in `landing/`: imports, simulations, and what the service logged.
**Writes** `raw/recommender=.../hour=.../<event>.parquet`, `quarantine/`, and the ledger.
**Announces** the hours that changed as partitions of `raw_events`, neighbours joined:
`2026-01-05T03--2026-01-05T04`. A late hour is a partition of its own, so only that hour is rebuilt.

**Deletes** what it has read from landing.

**Rerun** whenever you like: events are known by their `event_id`, also across files, hours and days.
Clearing this run announces only what changed since the last announcement; to rebuild an hour that did not
change, trigger `build_features` with its key.

**When it fails**
- `land`: the ledger does not add up when raw and quarantine are counted again, or the disk is full. Files
  stay in landing until they are accounted for. Do what the message says and clear the task.
- `check_raw_log`: the message names the expectation and the numbers; the data docs show all of them.
  Nothing was built from that range, which stays pending; other ranges went on. Mend the sender, or
  quarantine what it sent, and clear the task.
"""

from typing import Any

from airflow.sdk import DAG, task, task_group
from assets import RAW_EVENTS

from letterpress.orchestration.airflow_environment import WAREHOUSE_POOL
from letterpress.orchestration.dag_defaults import DAG_OPTIONS, task_settings
from letterpress.orchestration.shared_tasks import refresh_site

LANE = "{{ task.op_kwargs['partition'] }}"

with DAG("ingest_events", schedule="@hourly", doc_md=__doc__, **DAG_OPTIONS):

    @task(pool=WAREHOUSE_POOL)  # so that raw does not change while dbt reads it
    def land() -> dict[str, Any]:
        """Landing to raw; fails when the ledger does not add up."""
        from letterpress.orchestration.ingest_landing import ingest_landing
        from letterpress.orchestration.look_after_lake import check_ledger

        with task_settings() as settings:
            landed = ingest_landing(settings)
            check_ledger(settings)
        return landed

    @task
    def changed_ranges(landed: Any) -> list[str]:
        """The partitions that are to be checked and announced."""
        return list(landed["ranges"])

    @task(map_index_template=LANE, max_active_tis_per_dagrun=1)
    def check_raw_log(partition: Any) -> list[dict[str, Any]]:
        """The suites `raw_log` and `served_predictions` on one range of hours."""
        from letterpress.orchestration.run_gate import run_log_gates

        with task_settings() as settings:
            return run_log_gates(settings, partition)

    @task(outlets=[RAW_EVENTS], map_index_template=LANE)
    def announce(partition: Any, landed: Any, *, outlet_events: Any = None) -> None:
        """Tell whoever builds on raw which hours changed."""
        from letterpress.orchestration.ingest_landing import announce_ranges

        outlet_events[RAW_EVENTS].add_partitions(partition)
        with task_settings() as settings:
            announce_ranges(settings, [partition], landed["batch"])

    @task_group
    def lane(partition: Any, landed: Any) -> None:
        """One range; a bad one stays pending and holds no other one up."""
        checked = check_raw_log(partition=partition)
        checked >> announce(partition=partition, landed=landed)

    landed = land()
    lane.partial(landed=landed).expand(partition=changed_ranges(landed)) >> refresh_site()
