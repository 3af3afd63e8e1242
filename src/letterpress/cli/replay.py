"""`letterpress replay`: a logged slate made again; exit 1 when it comes out otherwise."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from letterpress.cli.output import JsonOption, print_result
from letterpress.errors import RefusedError


def command(
    slate_id: Annotated[str, typer.Argument(help="The id that the service answered with.")],
    as_json: JsonOption = False,
) -> None:
    """Compute the features, scores, order and propensities of a slate again and compare them."""
    from letterpress.orchestration.replay_slate import replay_slate
    from letterpress.settings import read_settings

    result = replay_slate(read_settings(), slate_id)
    print_result(result, as_json=as_json, text=_describe(result))
    if not result["equal"]:
        raise typer.Exit(RefusedError.exit_code)


_WORDS = {True: "equal", False: "DIFFERENT", None: "not compared"}


def _describe(result: dict[str, Any]) -> str:
    word = "comes out the same" if result["equal"] else "comes out otherwise"
    lines = [f"slate {result['slate_id']}, shown {result['shown_at']} by {result['model']}, {word}"]
    for part in result["parts"]:
        lines.append(f"  {part['name']}: {_WORDS[part['equal']]}; {part['detail']}")
        lines += [f"    {difference}" for difference in part["differences"][:5]]
    return "\n".join(lines)
