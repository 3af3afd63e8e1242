"""`letterpress validate`: run a gate; exit 1 when it refuses."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from letterpress.cli.output import JsonOption, print_result

Gate = Literal["raw_log", "served_predictions", "features", "snapshot", "training_set"]


def command(
    gate: Annotated[Gate, typer.Option(help="The gate to run.")],
    hours: Annotated[
        str | None,
        typer.Option("--range", help="Of log and features: hours, as 2026-01-05T03--2026-01-05T04; all."),
    ] = None,
    recommender: Annotated[str | None, typer.Option(help="training_set: the recommender.")] = None,
    snapshot: Annotated[
        str | None, typer.Option(help="snapshot, training_set: the snapshot; the current one.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run a data gate and say what it found."""
    from letterpress.orchestration.run_gate import run_gate
    from letterpress.settings import read_settings

    result = run_gate(read_settings(), gate, range_key=hours, recommender=recommender, snapshot=snapshot)
    print_result(result, as_json=as_json, text=_describe(result))


def _describe(result: dict[str, Any]) -> str:
    warnings = [
        f"  warning {finding['table']}.{finding['expectation']} found {finding['found']}: {finding['why']}"
        for finding in result["warnings"]
    ]
    head = (
        f"{result['gate']} passed {result['subject']}: {result['expectations']} expectations, "
        f"{len(warnings)} warning{'' if len(warnings) == 1 else 's'}, {result['seconds']:.1f} s"
    )
    return "\n".join([head, *warnings, f"  {result['docs_url']}"])
