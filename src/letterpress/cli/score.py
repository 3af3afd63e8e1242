"""`letterpress score`: a score for every row of a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from letterpress.cli.output import ColumnOption, JsonOption, print_result, read_columns


def command(
    recommender: Annotated[str, typer.Option(help="Name of the recommender.")],
    source: Annotated[
        Path, typer.Option("--input", help="Parquet or CSV with columns of training examples.")
    ],
    target: Annotated[Path, typer.Option("--output", help="Where to write the rows with their score.")],
    version: Annotated[
        int | None, typer.Option(min=1, help="Version to score with; the champion if left out.")
    ] = None,
    column: ColumnOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a column `score` to a table; a higher score is a better place."""
    from letterpress.orchestration.score_file import score_file
    from letterpress.settings import read_settings

    result = score_file(
        read_settings(), recommender, source, target, version=version, columns=read_columns(column)
    )
    text = f"scored {result['rows']} rows with {result['model']} into {result['output']}"
    print_result(result, as_json=as_json, text=text)
