"""Marts to snapshot: what the service reads and what models are trained on."""

from __future__ import annotations

from typing import Any

from letterpress.clock import Clock, ScaledClock
from letterpress.features import feature_names, schema_hash
from letterpress.lake.complete_hours import finish_build, finish_removal, range_to_build
from letterpress.lake.partitions import HourRange
from letterpress.lake.snapshot_history import mark_snapshot
from letterpress.lake.snapshots import Check, Snapshot, SnapshotSpec, publish_snapshot
from letterpress.log import log_step
from letterpress.recommenders import RECOMMENDERS
from letterpress.settings import Settings


def snapshot_spec() -> dict[str, SnapshotSpec]:
    """What every declared recommender wants in a snapshot."""
    return {
        name: SnapshotSpec(each.attributes, feature_names(each), schema_hash(each))
        for name, each in RECOMMENDERS.items()
    }


def publish_checked_features(
    settings: Settings, range_text: str | None = None, *, clock: Clock | None = None
) -> dict[str, Any]:
    """Publish the warehouse when the gates `features` and `snapshot` let it pass; `gates` is what they said.

    Raises:
        GateFailedError: one refuses; the current snapshot stays.
        BrokenError, StorageError: as of `publish_features`.
    """
    from letterpress.orchestration.run_gate import run_features_gate, snapshot_check

    built = range_to_build(settings.paths, HourRange.parse(range_text) if range_text else None)
    said = [run_features_gate(settings, built.key if built else None, clock)]
    check = snapshot_check(settings, said, clock)
    return publish_features(settings, range_text, clock=clock, check=check) | {"gates": said}


def publish_features(
    settings: Settings,
    range_text: str | None = None,
    *,
    clock: Clock | None = None,
    check: Check | None = None,
) -> dict[str, Any]:
    """Publish the warehouse as the current snapshot; its id, as-of time and rows.

    `range_text` is what was built: its hours wait no longer. A snapshot always holds all that is known.
    `check` may refuse it.

    Raises:
        NotYetThereError: there is no warehouse.
        BrokenError: another process writes it.
        StorageError: the marts are missing or the disk is full; the current snapshot stays.
    """
    clock = clock or ScaledClock(settings.paths.clock)
    with log_step("publish_features", range=range_text or "all") as counts:
        finish_build(settings.paths, HourRange.parse(range_text) if range_text else None)
        info = publish_snapshot(
            settings.paths,
            snapshot_spec(),
            clock,
            threads=settings.threads,
            check=check,
        )
        finish_removal(settings.paths)
        mark_snapshot(settings.paths, info, clock, threads=settings.threads)
        rows = {name: entry.rows for name, entry in info.manifest.recommenders.items()}
        counts.update(snapshot=info.snapshot, training=sum(each["training"] for each in rows.values()))
    as_of = info.manifest.as_of
    return {
        "snapshot": info.snapshot,
        "is_new": info.is_new,
        "as_of": as_of.isoformat() if as_of else None,
        "range": range_text,
        "rows": rows,
    }


def trainable_recommenders(settings: Settings, snapshot_id: str) -> list[str]:
    """The declared recommenders that have training rows in the snapshot, by name.

    Raises:
        StorageError: there is no such snapshot, or it is damaged.
    """
    recommenders = Snapshot.open(settings.paths, snapshot_id).manifest.recommenders
    return sorted(name for name, entry in recommenders.items() if entry.rows["training"] > 0)
