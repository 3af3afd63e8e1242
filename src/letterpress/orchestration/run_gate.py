"""The gates as steps that DAG tasks and the command line share: plain strings in, a dictionary out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from letterpress.clock import Clock, ScaledClock
from letterpress.errors import UsageError
from letterpress.lake.gate_views import all_hours
from letterpress.lake.partitions import HourRange
from letterpress.lake.snapshot_gate_facts import SnapshotUnderTest
from letterpress.lake.snapshot_layout import Manifest, snapshot_id
from letterpress.lake.snapshots import Check
from letterpress.recommenders import RECOMMENDERS, get_recommender
from letterpress.settings import Settings


def run_raw_log_gate(settings: Settings, range_key: str, clock: Clock | None = None) -> dict[str, Any]:
    """What the raw-log gate says of the hours `range_key`, when it lets them pass.

    Raises:
        GateFailedError: it refuses them.
    """
    from letterpress.quality.gate import check_raw_log, refuse_failures

    clock = clock or ScaledClock(settings.paths.clock)
    vocabularies = {name: dict(each.vocabularies) for name, each in RECOMMENDERS.items()}
    result = check_raw_log(settings, HourRange.parse(range_key), clock, vocabularies)
    return dict(msgspec.to_builtins(refuse_failures(result)))


def run_training_set_gate(
    settings: Settings, recommender: str, snapshot: str | None = None, clock: Clock | None = None
) -> dict[str, Any]:
    """What the training-set gate says of `recommender` in `snapshot` (the current one when none is named).

    Raises:
        GateFailedError: it refuses the training set.
        NotYetThereError: there is no such snapshot.
    """
    from letterpress.lake.snapshots import Snapshot
    from letterpress.orchestration.label_leakage import single_feature_aucs
    from letterpress.quality.gate import check_training_set, refuse_failures

    name = get_recommender(recommender).name
    opened = Snapshot.open(settings.paths, snapshot)
    training = opened.training_path(name)
    result = check_training_set(
        settings,
        name,
        opened.snapshot_id,
        training,
        clock or ScaledClock(settings.paths.clock),
        single_feature_aucs(name, training),
    )
    return dict(msgspec.to_builtins(refuse_failures(result)))


def run_served_gate(settings: Settings, range_key: str, clock: Clock | None = None) -> dict[str, Any]:
    """What the gate on served predictions says of the hours `range_key`, when it lets them pass.

    Raises:
        GateFailedError: it refuses them.
    """
    from letterpress.orchestration.served_context import served_context
    from letterpress.quality.gate import check_served_predictions, refuse_failures

    hours = HourRange.parse(range_key)
    context = served_context(settings.paths)
    clock = clock or ScaledClock(settings.paths.clock)
    result = check_served_predictions(settings, hours, context, clock)
    return dict(msgspec.to_builtins(refuse_failures(result)))


def run_log_gates(settings: Settings, range_key: str, clock: Clock | None = None) -> list[dict[str, Any]]:
    """What the gates on the raw log and on served predictions say, in one process.

    Raises:
        GateFailedError: one refuses the hours.
    """
    return [gate(settings, range_key, clock) for gate in (run_raw_log_gate, run_served_gate)]


def run_features_gate(
    settings: Settings, range_key: str | None = None, clock: Clock | None = None
) -> dict[str, Any]:
    """What the features gate says of the marts, of which the hours `range_key` (else all) were rebuilt.

    Raises:
        GateFailedError: it refuses them.
        NotYetThereError: there is no warehouse.
    """
    from letterpress.quality.gate import check_features, refuse_failures

    hours = HourRange.parse(range_key) if range_key else None
    result = check_features(settings, hours, clock or ScaledClock(settings.paths.clock))
    return dict(msgspec.to_builtins(refuse_failures(result)))


def run_snapshot_gate(
    settings: Settings, snapshot: str | None = None, clock: Clock | None = None
) -> dict[str, Any]:
    """What the snapshot gate says of a published snapshot, the current one when none is named.

    Raises:
        GateFailedError: it refuses it.
        NotYetThereError: there is no such snapshot.
    """
    from letterpress.lake.snapshots import Snapshot

    opened = Snapshot.open(settings.paths, snapshot)
    said: list[dict[str, Any]] = []
    snapshot_check(settings, said, clock)(opened.folder, opened.manifest)
    return said[0]


def snapshot_check(settings: Settings, said: list[dict[str, Any]], clock: Clock | None = None) -> Check:
    """The snapshot gate as what `publish_snapshot` asks; appends what it says to `said`."""

    def check(folder: Path, manifest: Manifest) -> None:
        from letterpress.orchestration.feature_coverage import coverage_since
        from letterpress.orchestration.publish_features import snapshot_spec
        from letterpress.quality.gate import check_snapshot, refuse_failures

        name = snapshot_id(manifest)
        coverage = coverage_since(settings.paths, name, folder, manifest)
        under_test = SnapshotUnderTest(name, folder, manifest, snapshot_spec(), coverage)
        result = check_snapshot(settings, under_test, clock or ScaledClock(settings.paths.clock))
        said.append(dict(msgspec.to_builtins(refuse_failures(result))))

    return check


def document_gates(settings: Settings) -> int:
    """Build the pages of the results that have none; how many there were."""
    from letterpress.quality.data_docs import undocumented

    if not undocumented(settings.paths):
        return 0
    from letterpress.quality.gate import document_results

    return document_results(settings)


def run_gate(
    settings: Settings,
    gate: str,
    *,
    range_key: str | None = None,
    recommender: str | None = None,
    snapshot: str | None = None,
) -> dict[str, Any]:
    """What the gate called `gate` says, when it lets its subject pass; its page is built in any case.

    `raw_log`, `served_predictions` and `features` take a range (all hours when none is named), `training_set`
    and `snapshot` a snapshot (the current one), `training_set` needs a recommender.

    Raises:
        UsageError: the gate is unknown, or what it needs is missing.
        GateFailedError: the gate refuses.
    """
    if gate == "training_set" and recommender is None:
        raise UsageError("expected --recommender with the training_set gate, found none; name one.")
    gates: dict[str, Callable[[], dict[str, Any]]] = {
        "raw_log": lambda: run_raw_log_gate(settings, range_key or all_hours(settings.paths).key),
        "features": lambda: run_features_gate(settings, range_key),
        "served_predictions": lambda: run_served_gate(settings, range_key or all_hours(settings.paths).key),
        "snapshot": lambda: run_snapshot_gate(settings, snapshot),
        "training_set": lambda: run_training_set_gate(settings, str(recommender), snapshot),
    }
    if gate not in gates:
        raise UsageError(f"expected gate {', '.join(gates)}; found {gate!r}; correct its name.")
    try:
        return gates[gate]()
    finally:
        document_gates(settings)
