"""`letterpress serve`: the ranking service in the foreground."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from letterpress.errors import BrokenError
from letterpress.settings import Settings, read_settings

PortOption = Annotated[int | None, typer.Option(help="Port to listen on; the setting's when not given.")]
BentoOption = Annotated[
    str | None, typer.Option(help="Tag of the Bento to serve; the published one when not given.")
]


def command(*, port: PortOption = None, bento: BentoOption = None) -> None:
    """Answer /v1/rank and /v1/events until stopped; newer models are taken over meanwhile."""
    from letterpress.orchestration.process_group import refuse_used_port

    settings = read_settings()
    port = port or settings.service.port
    refuse_used_port("service", port)
    program = Path(sys.executable).with_name("bentoml")
    if not program.exists():
        raise BrokenError(f"expected BentoML at {program}, found nothing. Run `make setup`.")
    arguments = serve_arguments(settings, port, bento)
    os.execve(program, [str(program), *arguments], serve_environment(settings))  # noqa: S606  # no shell


def serve_arguments(settings: Settings, port: int, bento: str | None = None) -> list[str]:
    """What `bentoml` is called with: the given Bento, else the published one, else the sources."""
    target = bento or published_bento(settings) or str(settings.project / "bentos" / "ranking")
    return ["serve", target, "--host", settings.service.host, "--port", str(port)]


def published_bento(settings: Settings) -> str | None:
    """Tag of the newest published Bento that is in the store."""
    from letterpress.registry.packaging import bento_store
    from letterpress.registry.publication import published

    store = bento_store(settings.paths) / "bentos"
    newest_first = sorted(
        published(settings.paths).values(), key=lambda each: each.published_at, reverse=True
    )
    tags = [each.bento for each in newest_first if each.bento is not None]
    return next((tag for tag in tags if (store / tag.replace(":", "/")).is_dir()), None)


def serve_environment(settings: Settings) -> dict[str, str]:
    """The environment of the server: BentoML keeps inside the home; XGBoost starts no threads."""
    from letterpress.registry.packaging import bento_environment, bento_store

    bento_store(settings.paths).mkdir(parents=True, exist_ok=True)
    return bento_environment(settings) | {"OMP_NUM_THREADS": "1"}
