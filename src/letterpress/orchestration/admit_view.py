"""The step that tries a candidate view on the current snapshot and keeps the record."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from letterpress.clock import Clock, ScaledClock
from letterpress.datasets.read_training_set import BATCH_ROWS
from letterpress.datasets.training_arrays import FeatureSchema, training_set_from
from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError, UsageError
from letterpress.evaluation.paired_bootstrap import Interval
from letterpress.features.views import VIEWS, trial_plan
from letterpress.lake.snapshots import Snapshot
from letterpress.log import log_step
from letterpress.orchestration.feature_coverage import ROWS, newest_rows
from letterpress.orchestration.train_challenger import split_training_set
from letterpress.ranking.admission import (
    Check,
    check_ablation,
    check_cost,
    check_coverage,
    check_known_at,
    check_single_features,
    compute_trial,
    with_view,
)
from letterpress.recommenders import Recommender, get_recommender
from letterpress.registry.admissions import AdmissionRecord, write_admission
from letterpress.settings import Settings


def admit_view(
    settings: Settings, view: str, recommender: str, *, clock: Clock | None = None
) -> dict[str, Any]:
    """Try `view` for a recommender; the record, which says whether every test was passed.

    All features of all rows are computed anew for it, so that with and without it differ in nothing else.

    Raises:
        UsageError: there is no such view, the recommender has it, or its rankers are not judged by NDCG.
        NotYetThereError, StorageError: there is no snapshot, or it is damaged.
        NotEnoughDataError: it holds no training rows.
    """
    declared = _require_candidate(view, get_recommender(recommender))
    snapshot = Snapshot.open(settings.paths)
    with log_step("admit_view", view=view, recommender=recommender) as counts:
        checks, change = _try(settings, declared, snapshot)
        record = AdmissionRecord(
            view=view,
            recommender=recommender,
            features=[each.name for each in trial_plan(declared).views[-1].features],
            snapshot=snapshot.snapshot_id,
            passed=all(check.passed for check in checks),
            checks=[asdict(check) for check in checks],
            ndcg_change=None if change is None else change.as_numbers(),
            tried_at=(clock or ScaledClock(settings.paths.clock)).now().isoformat(),
        )
        counts.update(passed=record.passed)
    write_admission(settings.paths, record)
    return msgspec.to_builtins(record)  # type: ignore[no-any-return]  # of a struct it is a dict


def _require_candidate(view: str, recommender: Recommender) -> Recommender:
    if view not in VIEWS:
        raise UsageError(f"expected one of the views {', '.join(sorted(VIEWS))}; found {view!r}.")
    if view in recommender.feature_views:
        raise UsageError(
            f"expected a view that {recommender.name} does not use, found {view}; it has it already."
        )
    if recommender.judge != "ndcg":
        raise UsageError(
            f"expected a recommender whose rankers are judged by NDCG, found {recommender.name}, judged by "
            f"{recommender.judge}; name another with --recommender."
        )
    return with_view(recommender, view)


def _try(
    settings: Settings, declared: Recommender, snapshot: Snapshot
) -> tuple[list[Check], Interval | None]:
    rows = newest_rows(snapshot.training_path(declared.name), ROWS)
    whole = _read(snapshot, declared)
    split = split_training_set(whole, declared)
    checks = [
        check_known_at(declared, rows),
        check_single_features(declared, split),
        check_coverage(declared, whole.features),
        check_cost(declared, rows),
    ]
    try:
        check, change = check_ablation(declared, split, seed=settings.seed, threads=settings.threads)
    except NotEnoughDataError as error:
        return [*checks, Check("ablation", passed=False, found=str(error), wanted="enough to train on")], None
    return [*checks, check], change


def _read(snapshot: Snapshot, declared: Recommender) -> TrainingSet:
    """The training set with every feature computed: no slate logged those of the candidate."""
    plan = trial_plan(declared)
    schema = FeatureSchema(
        plan.names, f"trial {plan.schema_hash}", lambda table: compute_trial(declared, table)
    )
    with pq.ParquetFile(snapshot.training_path(declared.name)) as file:
        batches = (pa.Table.from_batches([batch]) for batch in file.iter_batches(BATCH_ROWS))
        return training_set_from(batches, declared, schema, known_until=snapshot.as_of)
