"""How old the newest events of each type are, by dbt's own check and by the clock of the home."""

from __future__ import annotations

from typing import Any

from letterpress.clock import Clock, ScaledClock
from letterpress.errors import BrokenError, GateFailedError
from letterpress.log import log_step
from letterpress.orchestration.build_features import call_dbt, raise_unless_free, require_raw_events
from letterpress.settings import Settings

_ARGUMENTS = ["source", "freshness"]
_KNOWN = {"pass", "warn", "error"}


def check_sources(settings: Settings, clock: Clock | None = None) -> list[dict[str, Any]]:
    """Of each raw source its `status` and `age_hours`, by arrival; `newest` is None where nothing ever came.

    Raises:
        GateFailedError: events of a type have not come for longer than the source may wait.
        NotEnoughDataError: raw is empty.
        AlreadyRunningError: another process holds the warehouse.
        BrokenError: dbt could not look.
    """
    require_raw_events(settings)
    now = (clock or ScaledClock(settings.paths.clock)).now()
    with log_step("check_sources") as counts:
        failure, results = call_dbt(settings, _ARGUMENTS, "sources.json", {"CLOCK_NOW": now.isoformat()})
        if failure is not None:
            raise_unless_free(failure, settings)
            if not results or any(each["status"] not in _KNOWN for each in results):
                raise BrokenError(
                    f"expected dbt to read the age of raw, found: {' '.join(failure.split())[-600:]} Run "
                    "`letterpress lake --verify` to find a damaged file, mend it and run this again."
                )
        found = [_describe(each) for each in results]
        counts.update(sources=len(found), late=sum(each["status"] != "pass" for each in found))
    _require_fresh(found)
    return found


def _describe(result: dict[str, Any]) -> dict[str, Any]:
    return {
        "source": result["unique_id"].rpartition(".")[2],
        "status": result["status"],
        "newest": None if _is_empty(result) else result["max_loaded_at"],
        "age_hours": round(result["max_loaded_at_time_ago_in_s"] / 3600, 1),
    }


def _is_empty(result: dict[str, Any]) -> bool:
    """Whether no event of that type ever came: dbt then tells the first moment that it knows."""
    return str(result["max_loaded_at"]).startswith("0001-")


def _require_fresh(found: list[dict[str, Any]]) -> None:
    stale = [each for each in found if each["status"] == "error" and each["newest"] is not None]
    if stale:
        told = ", ".join(
            f"{each['source']}: {each['age_hours']} h (since {each['newest']})" for each in stale
        )
        raise GateFailedError(
            f"expected events of every type within the days that dbt's sources allow, found none of {told}. "
            "Look whether the service logs and `ingest_events` runs, or import what is missing; then clear "
            "the task."
        )
