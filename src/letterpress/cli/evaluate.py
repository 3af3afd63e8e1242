"""`letterpress evaluate`: the verdict on a challenger."""

from __future__ import annotations

from typing import Annotated

import typer

from letterpress.cli.output import JsonOption, print_result
from letterpress.errors import RefusedError


def command(
    recommender: Annotated[str, typer.Option(help="Name of the recommender.")],
    version: Annotated[
        int | None, typer.Option(min=1, help="Version to judge; the newest challenger if left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare a challenger with the champion and keep the verdict; exit 1 when it is refused."""
    from letterpress.orchestration.judge_challenger import challenger_version, judge_challenger
    from letterpress.settings import read_settings

    settings = read_settings()
    chosen = challenger_version(settings, recommender) if version is None else version
    verdict = judge_challenger(settings, recommender, chosen)
    word = "promote" if verdict["promoted"] else "refuse"
    print_result(verdict, as_json=as_json, text=f"{verdict['model']}: {word}. {verdict['reason']}")
    if not verdict["promoted"]:
        raise typer.Exit(RefusedError.exit_code)
