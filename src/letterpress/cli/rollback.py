"""`letterpress rollback`: the champion before this one again."""

from __future__ import annotations

from typing import Annotated

import typer

from letterpress.cli.output import JsonOption, print_result


def command(
    recommender: Annotated[str, typer.Option(help="Name of the recommender.")], as_json: JsonOption = False
) -> None:
    """Return to the champion that the present one replaced."""
    from letterpress.orchestration.release_challenger import roll_back
    from letterpress.settings import read_settings

    result = roll_back(read_settings(), recommender)
    text = f"{result['model']} is the champion again; {result['taken_back']} was taken back"
    print_result(result, as_json=as_json, text=text)
