"""`letterpress demo`: from logs to a served slate and round again, as `make demo` runs it."""

from __future__ import annotations

import sys
import textwrap
import time
from typing import Any

from letterpress.cli.output import JsonOption, print_result
from letterpress.settings import read_settings


def command(json_output: JsonOption = False) -> None:
    """Run the whole loop on this machine under a real scheduler; leave the services running."""
    from letterpress.orchestration.demo import run_demo
    from letterpress.orchestration.demo_lock import hold_demo_lock

    settings = read_settings()
    began = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - began:5.0f} s] {line}", file=sys.stderr, flush=True)

    with hold_demo_lock(settings):
        result = run_demo(settings, say)
    print_result(result, as_json=json_output, text=_table(result))


def _table(result: dict[str, Any]) -> str:
    rows, answer, pulse, visits = (result[key] for key in ("rows", "answer", "pulse", "visits"))
    first, login = answer["body"]["items"][0], result["airflow_login"]
    lines = [
        "",
        f"The loop, in {result['seconds']:.0f} s",
        f"  rows in        {rows['read']:,} lines: {rows['raw']:,} to raw, {rows['duplicate']:,} duplicate, "
        f"{rows['quarantined']:,} quarantined",
        *(_training(name, counts) for name, counts in result["training"].items()),
        "",
        "Verdicts",
        *(line for verdict in result["verdicts"] for line in _verdict(verdict)),
        "",
        "Serving",
        f"  served now     {', '.join(result['served'].values())}",
        f"  while swapping {pulse['requests']:,} requests, {pulse['failed']} failed, answered by "
        f"{', '.join(pulse['models'])}",
        f"  round again    {visits['slates']} slates and {visits['events']:,} events through the service, "
        f"{visits['failed']} failed",
        *_regret(visits["regret"]),
        f"  one answer     {answer['items']} items, median {answer['median_ms']} ms, slowest "
        f"{answer['slowest_ms']} ms; first: {first['item_id']} (score {_score(first)}, "
        f"propensity {first['propensity']:.3f}) from {answer['body']['model']}",
        "",
        *(f"  {name:<14} {address}" for name, address in result["addresses"].items()),
        f"  {'airflow login':<14} {login['user']} / {login['password']}",
        *(f"  note: {note}" for note in result["notes"]),
        "",
        "  make down stops everything that was started here",
    ]
    return "\n".join(lines)


def _regret(regret: dict[str, Any]) -> list[str]:
    """How far what was served fell short of the best slates; nothing when no slate came."""
    if regret["regret"] is None:
        return []
    return [
        f"  regret         {regret['regret']:.1%} of the expected clicks were missed; the best order without "
        f"context misses {regret['popularity_regret']:.1%}, chance {regret['random_regret']:.1%}"
    ]


def _training(name: str, counts: dict[str, int]) -> str:
    return (
        f"  training set   {name}: {counts['rows']:,} rows of {counts['slates']:,} slates, "
        f"{counts['own_slates']:,} of them served here"
    )


def _verdict(verdict: dict[str, Any]) -> list[str]:
    """Who was judged against whom and why so, with the interval of each ranker where there is one."""
    decision = "promoted" if verdict["promoted"] else "refused"
    numbers, reason = verdict["numbers"], verdict["reason"]
    intervals = [
        f"    {numbers['metric']} {who:<11} {numbers[who]['mean']:.4f} "
        f"[{numbers[who]['low']:.4f}, {numbers[who]['high']:.4f}]"
        for who in ("popularity", "champion", "challenger")
        if "mean" in numbers.get(who, ())  # an off-policy verdict has no interval a ranker
    ]
    words = textwrap.wrap(reason, 100, initial_indent="    ", subsequent_indent="    ")
    return [f"  {verdict['model']} against {verdict['champion']}: {decision}", *intervals, *words]


def _score(item: dict[str, Any]) -> str:
    return "unknown" if item["score"] is None else f"{item['score']:.3f}"
