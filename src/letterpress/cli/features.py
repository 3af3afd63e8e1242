"""`letterpress features`: raw events to marts to a published snapshot."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from letterpress.cli.output import JsonOption, print_result


def command(
    range_: Annotated[
        str | None,
        typer.Option("--range", help="Raw hours that changed, e.g. 2026-01-05T03--2026-01-05T04; else all."),
    ] = None,
    full_refresh: Annotated[
        bool, typer.Option("--full-refresh", help="Drop the marts and build them from nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Build the features and training sets from raw and publish them as a snapshot."""
    from letterpress.orchestration.build_features import build_features
    from letterpress.orchestration.publish_features import publish_features
    from letterpress.settings import read_settings

    settings = read_settings()
    built = build_features(settings, range_, full_refresh=full_refresh)
    published = publish_features(settings, range_)
    print_result({"build": built, **published}, as_json=as_json, text=_describe(published))


def _describe(published: dict[str, Any]) -> str:
    lines = [f"snapshot {published['snapshot']}, as of {published['as_of']}"]
    lines += [
        f"{name}: " + ", ".join(f"{count} {stem}" for stem, count in rows.items())
        for name, rows in published["rows"].items()
    ]
    return "\n".join(lines)
