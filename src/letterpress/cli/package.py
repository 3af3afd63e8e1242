"""`letterpress package`: a version as a Bento."""

from __future__ import annotations

from typing import Annotated

import typer

from letterpress.cli.output import JsonOption, print_result


def command(
    recommender: Annotated[str, typer.Option(help="Name of the recommender.")],
    version: Annotated[
        int | None, typer.Option(min=1, help="Version to pack; the champion if left out.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build the Bento of a version; one that is there is kept."""
    from letterpress.errors import NotYetThereError
    from letterpress.recommenders import get_recommender
    from letterpress.registry.packaging import bento_store, build_bento
    from letterpress.registry.store import champion
    from letterpress.settings import read_settings

    settings = read_settings()
    get_recommender(recommender)
    if version is None:
        standing = champion(settings.paths, recommender)
        if standing is None:
            raise NotYetThereError(
                f"expected a champion of {recommender}, found none; "
                f"run `letterpress promote --first --recommender {recommender}`."
            )
        version = standing.version
    tag = build_bento(settings, recommender, version)
    store = str(bento_store(settings.paths))
    print_result({"bento": tag, "store": store}, as_json=as_json, text=f"{tag} in {store}")
