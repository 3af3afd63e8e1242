"""`letterpress ingest`: landing to raw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from letterpress.cli.output import JsonOption, print_result
from letterpress.settings import read_settings


def command(*, as_json: JsonOption = False) -> None:
    """Bring what waits in landing into raw; bad lines go to quarantine with a reason."""
    from letterpress.orchestration.ingest_landing import ingest_landing

    settings = read_settings()
    result = ingest_landing(settings)
    print_result(result, as_json=as_json, text=summarise(result, settings.paths.quarantine))


def summarise(result: dict[str, Any], quarantine: Path) -> str:
    """One sentence on what became of the lines, and where the bad ones are."""
    reasons = f" (the reasons are in {quarantine})" if result["quarantined"] else ""
    hours = f"; hours to build: {', '.join(result['ranges'])}" if result["ranges"] else ""
    return (
        f"read {result['read']}: {result['raw']} to raw, {result['duplicate']} duplicates, "
        f"{result['quarantined']} to quarantine{reasons}{hours}"
    )
