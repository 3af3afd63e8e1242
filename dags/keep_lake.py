"""
### Let go of what is too old, make large files of small ones, look for damage and for what no longer comes

**Reads** the settings `LETTERPRESS_RETENTION__*` and `LETTERPRESS_COMPACT_AFTER_DAYS`, and every file of the
lake. **Writes** raw without the events and the identifiers that are older than the settings allow, older days
as one file for each event type, and the ledger. Hours that lose events are announced by the next
`ingest_events`, so that features are built again without them. Compaction changes no event and announces
nothing.

**Rerun** whenever you like: what is gone is gone, and a look changes nothing.

**When it fails**
- `let_go`: a file of raw is damaged, or the disk is full; nothing was changed. `verify` names the file.
- `compact`: a file differs from its recorded checksum; its day and later ones stay as they were. Or somebody
  reads raw outside of these DAGs for longer than half a minute: clear the task.
- `verify`: a file differs from its recorded checksum, is missing, or lies there unrecorded; the message
  names the first and says what to run. The service goes on with the last good snapshot.
- `check_sources`: no slates, interactions or outcomes arrived for a week (dbt's `source freshness`, by the
  clock of the home); after six hours it warns. Look at the service's log and at `ingest_events`.
"""

from typing import Any

from airflow.sdk import DAG, task

from letterpress.orchestration.airflow_environment import WAREHOUSE_POOL
from letterpress.orchestration.dag_defaults import DAG_OPTIONS, task_settings

with DAG("keep_lake", schedule="@daily", doc_md=__doc__, **DAG_OPTIONS):

    @task(pool=WAREHOUSE_POOL)  # so that raw does not change while dbt reads it
    def let_go() -> dict[str, Any]:
        """What the settings do not allow to be kept any longer."""
        from letterpress.orchestration.look_after_lake import apply_retention

        with task_settings() as settings:
            return apply_retention(settings)

    @task(pool=WAREHOUSE_POOL)
    def compact() -> dict[str, Any]:
        """One file a day where there were up to 24."""
        from letterpress.orchestration.look_after_lake import compact_lake

        with task_settings() as settings:
            return compact_lake(settings)

    @task(pool=WAREHOUSE_POOL, trigger_rule="all_done")
    def verify() -> dict[str, Any]:
        """Every file against its checksum; fails when one differs."""
        from letterpress.orchestration.look_after_lake import require_undamaged

        with task_settings() as settings:
            return require_undamaged(settings)

    @task(pool=WAREHOUSE_POOL, trigger_rule="all_done")
    def check_sources() -> list[dict[str, Any]]:
        """How old the newest events of each type are; fails when none came for a week."""
        from letterpress.orchestration.source_freshness import check_sources as check

        with task_settings() as settings:
            return check(settings)

    let_go() >> compact() >> verify() >> check_sources()
