"""Lets the simulated world live against a running service of this home, and keeps what comes of it.

In `<home>/simulation/loop/` lie `waiting.jsonl` (events that are known and not yet due: the next run sends
them), `next_day.json` (where the next run goes on) and a `regret-<begin>.json` for every run.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from letterpress.atomic_file import write_atomically
from letterpress.clock import ScaledClock, drive_clock, set_clock
from letterpress.errors import BrokenError, UsageError, as_clause
from letterpress.settings import Settings
from letterpress.simulation.closed_loop import HISTORY_DAYS, LoopPlan, LoopReport, run_loop
from letterpress.simulation.pace import STEP, Pace, SteppingPace, WaitingPace
from letterpress.simulation.waiting import WaitingEvents

STEP_BY_STEP = 0.0
"""The speed that is none: as fast as the service answers."""
MOST_SPEED = 1_000_000.0
CLOCKS_DIFFER = timedelta(seconds=20)
"""More than an answer takes; a step of time is longer."""

Say = Callable[[str], None]


def loop_folder(settings: Settings) -> Path:
    return settings.paths.root / "simulation" / "loop"


def next_day(settings: Settings, seed: int) -> int:
    """The day of the world on which a run of `seed` goes on; after the usual history when there was none."""
    return _next_days(loop_folder(settings)).get(str(seed), HISTORY_DAYS)


def _next_days(folder: Path) -> dict[str, int]:
    path = folder / "next_day.json"
    found: dict[str, int] = json.loads(path.read_bytes()) if path.exists() else {}
    return found


def run_closed_loop(
    settings: Settings, plan: LoopPlan, *, speed: float | None, say: Say = lambda _: None
) -> dict[str, Any]:
    """What happened, as a JSON-able dictionary; the same is in the file that it names.

    `speed` None leaves the clock of this home as it runs; a number sets it so many times as fast as the
    wall's while this runs; `STEP_BY_STEP` sets it ahead as soon as the service has answered.

    Raises:
        UsageError: the plan, the token or the speed is wrong, or the service goes by another clock.
        BrokenError: the service is not there or went away; what was seen until then is on disk.
        AlreadyRunningError: another run sets this home's clock.
    """
    if speed is not None and not 0 <= speed <= MOST_SPEED:
        raise UsageError(f"expected a speed from 0 to {MOST_SPEED:,.0f} or max, found {speed}; correct it.")
    token = settings.service.token
    if plan.token is None and token is not None:
        plan = replace(plan, token=token.get_secret_value())
    folder = loop_folder(settings)
    waiting, report = WaitingEvents.load(folder / "waiting.jsonl"), LoopReport()
    clock = ScaledClock(settings.paths.clock)
    _refuse_other_clock(plan, clock)
    with _pace(settings.paths.clock, plan, clock, speed) as pace:
        try:
            asyncio.run(run_loop(plan, clock, pace, waiting, report, say=say))
        except BrokenError as error:
            raise BrokenError(
                f"{error} Until then: {report.traffic.slates:,} slates and {report.traffic.accepted:,} "
                f"events; {report.waiting:,} events wait in {folder}."
            ) from error
        finally:
            path = _keep(folder, plan, waiting, report, clock.now())
    return {"file": str(path)} | report.to_dict()


def _keep(folder: Path, plan: LoopPlan, waiting: WaitingEvents, report: LoopReport, now: datetime) -> Path:
    waiting.save(folder / "waiting.jsonl")
    if report.traffic.slates:
        days = _next_days(folder) | {str(plan.seed): plan.first_day + max(1, len(report.slates_by_day))}
        write_atomically(folder / "next_day.json", json.dumps(days).encode())
    path = folder / f"regret-{report.begin or now:%Y%m%dT%H%M%S}.json"
    about = {"scenario": plan.scenario, "seed": plan.seed, "first_day": plan.first_day, "days": plan.days}
    write_atomically(path, json.dumps(about | report.to_dict(), indent=2).encode() + b"\n")
    return path


@contextmanager
def _pace(path: Path, plan: LoopPlan, clock: ScaledClock, speed: float | None) -> Iterator[Pace]:
    if speed is None:
        yield WaitingPace(clock)
        return
    with drive_clock(path):
        set_clock(path, clock.now() + timedelta(milliseconds=STEP), speed=1.0)
        _refuse_other_clock(plan, clock)
        if speed == STEP_BY_STEP:
            yield SteppingPace(path)
        else:
            set_clock(path, speed=speed)
            yield WaitingPace(clock)


def _refuse_other_clock(plan: LoopPlan, clock: ScaledClock) -> None:
    """Raises UsageError when the service does not go by the clock of this home."""
    try:
        found = httpx.get(f"{plan.url.rstrip('/')}/readyz", timeout=10, trust_env=False)
        told = datetime.fromisoformat(found.json()["now"])
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise BrokenError(
            f"expected the service at {plan.url}, found: {as_clause(error)}. "
            "Start it with `letterpress serve`."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"expected a service that says its time at {plan.url}/readyz, found status {found.status_code} "
            "without one; correct --against."
        ) from error
    if abs(told - clock.now()) > CLOCKS_DIFFER:
        raise UsageError(
            f"expected the service at {plan.url} to go by this home's clock "
            f"({clock.now():%Y-%m-%dT%H:%M:%S}), found "
            f"{told:%Y-%m-%dT%H:%M:%S}; set LETTERPRESS_HOME to the home of the service."
        )
