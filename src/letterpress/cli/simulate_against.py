"""`letterpress simulate --against URL`: builders and recipients who react to what a service returns."""

from __future__ import annotations

import sys
from typing import Any

from letterpress.cli.output import print_result
from letterpress.errors import UsageError
from letterpress.settings import read_settings

DAYS, SLATES = 1, 10_000
FASTEST = "max"


def simulate_against(
    url: str,
    *,
    speed: str | None,
    days: int | None,
    slates: int | None,
    seed: int,
    scenario: str,
    drift_day: int | None,
    first_day: int | None,
    token: str | None,
    leave_waiting: bool,
    as_json: bool,
) -> None:
    """Let some days pass against the service at `url`, and print how far its slates fell short."""
    from letterpress.orchestration.run_closed_loop import next_day, run_closed_loop
    from letterpress.simulation.closed_loop import LoopPlan

    settings = read_settings()
    plan = LoopPlan(
        url=url.rstrip("/"),
        days=DAYS if days is None else days,
        slates=SLATES if slates is None else slates,
        seed=seed,
        scenario=scenario,
        drift_day=drift_day,
        first_day=next_day(settings, seed) if first_day is None else first_day,
        token=token,
        leaves_waiting=leave_waiting,
    )

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    result = run_closed_loop(settings, plan, speed=_read_speed(speed), say=say)
    print_result(result, as_json=as_json, text=_describe(result))


def _read_speed(text: str | None) -> float | None:
    if text is None:
        return None
    if text == FASTEST:
        return 0.0
    try:
        return float(text)
    except ValueError:
        raise UsageError(
            f"expected a speed like 3600 (data seconds a second) or {FASTEST}, found {text!r}; correct it."
        ) from None


def _describe(result: dict[str, Any]) -> str:
    from letterpress.simulation.regret import format_table

    latency = result["latency_ms"]
    slowest = f"p50 {latency['p50']} ms, p99 {latency['p99']} ms" if latency else "none answered"
    lines = [
        format_table(result["hours"], result["regret"]),
        "",
        *(
            f"{model}: regret {row['regret']:.2%} in {row['slates']:,} slates"
            for model, row in result["models"].items()
        ),
        f"{result['slates']:,} slates ({slowest}) and {result['events']:,} events "
        f"in {result['seconds']:.0f} s, data time {result['begin'][:16]} to {result['end'][:16]}",
        f"{result['failed']:,} failed, {result['retries']:,} tried again, {result['duplicate']:,} duplicate, "
        f"{result['rejected']:,} rejected, {result['waiting']:,} events wait for the next run",
        *(f"{count:,} x {reason}" for reason, count in result["reasons"].items()),
        f"in full: {result['file']}",
    ]
    return "\n".join(lines)
