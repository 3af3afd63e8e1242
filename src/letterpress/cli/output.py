"""How subcommands speak: a result on standard output, everything else on standard error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]

ColumnOption = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN=NAME", help="What the table calls a column, e.g. text=betreff."),
]


def read_columns(given: Sequence[str] | None) -> dict[str, str]:
    """The table's names by column, of options such as `text=betreff`.

    >>> read_columns(["text=betreff", "test"])
    {'text': 'betreff', 'test': ''}
    """
    return {column: name for column, _, name in (each.partition("=") for each in given or ())}


def print_result(result: Mapping[str, Any], *, as_json: bool, text: str | None = None) -> None:
    """Print `result` as JSON, or `text` for people; without a text, one `key: value` a line."""
    if as_json:
        typer.echo(json.dumps(result, default=str))
    else:
        typer.echo(
            text if text is not None else "\n".join(f"{key}: {value}" for key, value in result.items())
        )
