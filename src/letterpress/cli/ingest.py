"""`letterpress ingest`: landing to raw."""

from __future__ import annotations

from typing import Any

from letterpress.cli.output import JsonOption, print_result
from letterpress.settings import read_settings


def command(*, as_json: JsonOption = False) -> None:
    """Bring what waits in landing into raw; bad lines go to quarantine with a reason."""
    from letterpress.orchestration.ingest_landing import ingest_landing

    result = ingest_landing(read_settings())
    print_result(result, as_json=as_json, text=summarise(result))


def summarise(result: dict[str, Any]) -> str:
    """One sentence on what became of the lines."""
    hours = f"; hours to build: {', '.join(result['ranges'])}" if result["ranges"] else ""
    return (
        f"read {result['read']}: {result['raw']} to raw, {result['duplicate']} duplicates, "
        f"{result['quarantined']} to quarantine{hours}"
    )
