"""`letterpress promote`: judge a challenger, and release it when it wins."""

from __future__ import annotations

from typing import Annotated

import typer

from letterpress.cli.output import JsonOption, print_result


def command(
    recommender: Annotated[str, typer.Option(help="Name of the recommender.")],
    version: Annotated[
        int | None, typer.Option(min=1, help="Version to release; the newest challenger if left out.")
    ] = None,
    first: Annotated[
        bool, typer.Option("--first", help="Release the popularity baseline where there is no champion.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Judge, then pack, alias and publish; a challenger that does not clear the bar is refused."""
    from letterpress.orchestration.bootstrap_champion import bootstrap_champion
    from letterpress.orchestration.judge_challenger import challenger_version, judge_challenger
    from letterpress.orchestration.release_challenger import release_challenger
    from letterpress.settings import read_settings

    settings = read_settings()
    if first:
        released = bootstrap_champion(settings, recommender)
    else:
        chosen = challenger_version(settings, recommender) if version is None else version
        judge_challenger(settings, recommender, chosen)
        released = release_challenger(settings, recommender, chosen)
    text = f"{released['model']} is the champion, in {released['bento']}"
    print_result(released, as_json=as_json, text=text)
