"""How subcommands speak: a result on standard output, everything else on standard error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as one JSON document.")]


def print_result(result: Mapping[str, Any], *, as_json: bool, text: str | None = None) -> None:
    """Print `result` as JSON, or `text` for people; without a text, one `key: value` a line."""
    if as_json:
        typer.echo(json.dumps(result, default=str))
    else:
        typer.echo(
            text if text is not None else "\n".join(f"{key}: {value}" for key, value in result.items())
        )
