"""Quarantine to raw, for lines that a fix has made readable."""

from __future__ import annotations

from typing import Any

from letterpress.clock import Clock, ScaledClock
from letterpress.lake.requeue import drop_taken, land_readable
from letterpress.orchestration.ingest_landing import ingest_landing
from letterpress.settings import Settings


def requeue_quarantine(
    settings: Settings, *, reason: str | None = None, clock: Clock | None = None
) -> dict[str, Any]:
    """Take back what decodes today, `reason` only if given; returns what `ingest_landing` does.

    `requeued` says how many lines left quarantine (`taken`), how many stay because they still are no events
    (`still_bad`) and how many because their tenant's key was destroyed (`without_key`).

    Raises:
        UsageError: a reason that does not exist.
        StorageError: quarantine is damaged, or a key or the disk fails; nothing is lost, run it again.
    """
    home, clock = settings.paths, clock or ScaledClock(settings.paths.clock)
    plan = land_readable(home, reason=reason)
    result = ingest_landing(settings, clock)
    taken = drop_taken(home, plan, clock)
    counts = {"taken": taken, "still_bad": plan.still_bad, "without_key": plan.without_key}
    return result | {"requeued": counts}
