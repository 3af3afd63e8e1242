"""`letterpress simulate`: a seeded log with known truth, as files, or a world that asks a running service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from letterpress.cli.output import JsonOption, print_result
from letterpress.clock import SystemClock
from letterpress.errors import UsageError

DEFAULT_START = "2026-01-05"
DEFAULT_DAYS, DEFAULT_SLATES = 14, 20_000

OutOption = Annotated[
    Path | None, typer.Option(help="Folder to write to; the truth goes into truth/ below it.")
]
AgainstOption = Annotated[
    str | None, typer.Option(help="Address of a running service to react to, in place of --out.")
]
DaysOption = Annotated[
    int | None, typer.Option(help=f"Days of log, {DEFAULT_DAYS}; with --against 1.", show_default=False)
]
SlatesOption = Annotated[
    int | None,
    typer.Option(help=f"Slates in all, {DEFAULT_SLATES:,}; with --against 10,000.", show_default=False),
]
SeedOption = Annotated[int, typer.Option(help="The same seed gives the same bytes.")]
ScenarioOption = Annotated[str, typer.Option(help="One of those in docs/simulation.md.")]
DriftDayOption = Annotated[
    int | None,
    typer.Option(help="Day, from 0, on which scenarios that drift begin to; the middle when not given."),
]
PackingOption = Annotated[str, typer.Option(help="gz or zst, with --out.")]
StartOption = Annotated[str | None, typer.Option(help=f"First day in UTC; {DEFAULT_START} when not given.")]
EndNowOption = Annotated[bool, typer.Option("--end-now", help="Let the log end with the last full hour.")]
SpeedOption = Annotated[
    str | None,
    typer.Option(
        help="With --against: data seconds a second, or max; sets the clock of this home ahead. "
        "Without it the clock is left as it runs."
    ),
]
FirstDayOption = Annotated[
    int | None,
    typer.Option(help="With --against: day of the world to begin with; the one after the last run's."),
]
LeaveWaitingOption = Annotated[
    bool, typer.Option("--leave-waiting", help="With --against: leave later outcomes to the next run.")
]
TokenOption = Annotated[
    str | None, typer.Option(help="With --against: the service's token; the setting's when not given.")
]


def command(
    *,
    out: OutOption = None,
    against: AgainstOption = None,
    days: DaysOption = None,
    slates: SlatesOption = None,
    seed: SeedOption = 7,
    scenario: ScenarioOption = "steady",
    drift_day: DriftDayOption = None,
    packing: PackingOption = "gz",
    start: StartOption = None,
    end_now: EndNowOption = False,
    speed: SpeedOption = None,
    first_day: FirstDayOption = None,
    leave_waiting: LeaveWaitingOption = False,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a log of builders and recipients whose behaviour is known, or let them ask a running service."""
    if against is not None:
        from letterpress.cli.simulate_against import simulate_against

        if out is not None or start is not None or end_now:
            raise UsageError("expected no --out, --start or --end-now with --against: it begins now.")
        simulate_against(
            against,
            speed=speed,
            days=days,
            slates=slates,
            seed=seed,
            scenario=scenario,
            drift_day=drift_day,
            first_day=first_day,
            token=token,
            leave_waiting=leave_waiting,
            as_json=as_json,
        )
        return
    if out is None:
        raise UsageError("expected --out FOLDER or --against URL, found neither; give one.")
    if speed is not None or first_day is not None or token is not None or leave_waiting:
        raise UsageError("expected --speed, --first-day, --token and --leave-waiting with --against only.")
    _write_log(
        out,
        DEFAULT_DAYS if days is None else days,
        DEFAULT_SLATES if slates is None else slates,
        seed,
        scenario,
        drift_day=drift_day,
        packing=packing,
        start=start,
        end_now=end_now,
        as_json=as_json,
    )


def _write_log(
    out: Path,
    days: int,
    slates: int,
    seed: int,
    scenario: str,
    *,
    drift_day: int | None,
    packing: str,
    start: str | None,
    end_now: bool,
    as_json: bool,
) -> None:
    from letterpress.simulation.simulate import Plan, simulate

    if end_now and start is not None:
        raise UsageError("expected --start or --end-now, found both; leave one out.")
    first = _days_ago(days) if end_now else _parse_day(DEFAULT_START if start is None else start)
    summary = simulate(Plan(days, slates, seed, scenario, first, drift_day, packing), out)
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
