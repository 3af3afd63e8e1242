"""`letterpress ingest`: landing to raw, or what became readable in quarantine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from letterpress.cli.output import JsonOption, print_result
from letterpress.errors import UsageError
from letterpress.settings import read_settings


def command(
    *,
    requeue: Annotated[
        bool, typer.Option("--requeue", help="First take back from quarantine what a fix made readable.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option(metavar="CODE", help="With --requeue: only lines with this reason.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring what waits in landing into raw; bad lines go to quarantine with a reason."""
    from letterpress.orchestration.ingest_landing import ingest_landing
    from letterpress.orchestration.requeue_quarantine import requeue_quarantine

    settings = read_settings()
    if reason is not None and not requeue:
        raise UsageError("expected --reason together with --requeue, found it alone; add --requeue.")
    result = requeue_quarantine(settings, reason=reason) if requeue else ingest_landing(settings)
    print_result(result, as_json=as_json, text=summarise(result, settings.paths.quarantine))


def summarise(result: dict[str, Any], quarantine: Path) -> str:
    """One sentence on what became of the lines, why some are no events, and where these are."""
    codes = ", ".join(f"{lines} {code}" for code, lines in result["reasons"].items())
    reasons = f" ({codes}; kept in {quarantine})" if codes else ""
    is_more = result["raw"] > 0 and result["ranges"]
    hours = f"; hours to build: {', '.join(result['ranges'])}" if is_more else ""
    found = sum(each["found"] for each in result["masked"])
    masked = f"; masked {_count(found, 'personal value')}" if found else ""
    back = f"; {_count(result['requeued']['taken'], 'line')} left quarantine" if "requeued" in result else ""
    return (
        f"read {result['read']}: {result['raw']} to raw, {_count(result['duplicate'], 'duplicate')}, "
        f"{result['quarantined']} to quarantine{reasons}{masked}{back}{hours}"
    )


def _count(number: int, what: str) -> str:
    """The number with its noun.

    >>> _count(1, "line"), _count(0, "line")
    ('1 line', '0 lines')
    """
    return f"{number} {what}{'' if number == 1 else 's'}"
