"""The gates as steps that DAG tasks and the command line share: plain strings in, a dictionary out."""

from __future__ import annotations

from typing import Any

import msgspec

from letterpress.clock import Clock, ScaledClock
from letterpress.errors import UsageError
from letterpress.lake.gate_views import all_hours
from letterpress.lake.partitions import HourRange
from letterpress.recommenders import get_recommender
from letterpress.settings import Settings


def run_raw_log_gate(settings: Settings, range_key: str, clock: Clock | None = None) -> dict[str, Any]:
    """What the raw-log gate says of the hours `range_key`, when it lets them pass.

    Raises:
        GateFailedError: it refuses them.
    """
    from letterpress.quality.gate import check_raw_log, refuse_failures

    result = check_raw_log(settings, HourRange.parse(range_key), clock or ScaledClock(settings.paths.clock))
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
    from letterpress.quality.gate import check_training_set, refuse_failures

    name = get_recommender(recommender).name
    opened = Snapshot.open(settings.paths, snapshot)
    result = check_training_set(
        settings,
        name,
        opened.snapshot_id,
        opened.training_path(name),
        clock or ScaledClock(settings.paths.clock),
    )
    return dict(msgspec.to_builtins(refuse_failures(result)))


def run_gate(
    settings: Settings,
    gate: str,
    *,
    range_key: str | None = None,
    recommender: str | None = None,
    snapshot: str | None = None,
) -> dict[str, Any]:
    """What the gate called `gate` says, when it lets its subject pass.

    `raw_log` takes a range (all hours when none is named), `training_set` needs a recommender.

    Raises:
        UsageError: the gate is unknown, or what it needs is missing.
        GateFailedError: the gate refuses.
    """
    if gate == "raw_log":
        return run_raw_log_gate(settings, range_key or all_hours(settings.paths).key)
    if gate == "training_set":
        if recommender is None:
            raise UsageError("expected --recommender with the training_set gate, found none; name one.")
        return run_training_set_gate(settings, recommender, snapshot)
    raise UsageError(f"expected gate raw_log or training_set, found {gate!r}; correct its name.")
