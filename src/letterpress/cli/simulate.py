"""`letterpress simulate`: a seeded log with known truth, as files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from letterpress.cli.output import JsonOption, print_result
from letterpress.clock import SystemClock
from letterpress.errors import UsageError

DEFAULT_START = "2026-01-05"


def command(
    *,
    out: Annotated[Path, typer.Option(help="Folder to write to; the truth goes into truth/ below it.")],
    days: Annotated[int, typer.Option(help="Days of log.")] = 14,
    slates: Annotated[int, typer.Option(help="Slates in all.")] = 20_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 7,
    scenario: Annotated[str, typer.Option(help="One of those in docs/simulation.md.")] = "steady",
    start: Annotated[
        str | None, typer.Option(help=f"First day in UTC; {DEFAULT_START} when not given.")
    ] = None,
    end_now: Annotated[
        bool, typer.Option("--end-now", help="Let the log end with the last full hour.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write a log of builders and recipients whose behaviour is known."""
    from letterpress.simulation.simulate import Plan, simulate

    if end_now and start is not None:
        raise UsageError("expected --start or --end-now, found both; leave one out.")
    first = _days_ago(days) if end_now else _parse_day(DEFAULT_START if start is None else start)
    summary = simulate(Plan(days, slates, seed, scenario, first), out)
    result = {
        "out": str(out),
        "start": first.isoformat(),
        "files": [str(path) for path in summary.files],
        **summary.planted(),
    }
    text = f"wrote {summary.n_events} events in {len(summary.files)} files to {out}; truth in {out / 'truth'}"
    print_result(result, as_json=as_json, text=text)


def _days_ago(days: int) -> datetime:
    """`days` before the last full hour."""
    last_full_hour = SystemClock().now().replace(minute=0, second=0, microsecond=0)
    try:
        return last_full_hour - timedelta(days=days)
    except OverflowError:
        raise UsageError(f"expected a few days, found {days}; correct --days.") from None


def _parse_day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"expected a day like {DEFAULT_START}, found {text!r}; correct it.") from None
