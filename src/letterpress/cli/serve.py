"""`letterpress serve`: the ranking service in the foreground."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from letterpress.errors import BrokenError
from letterpress.settings import Settings, child_environment, read_settings

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
    from letterpress.registry.publication import published

    store = bento_home(settings) / "bentos"
    published_tags = sorted(
        (publication.published_at, publication.bento)
        for publication in published(settings.paths).values()
        if publication.bento is not None and (store / publication.bento.replace(":", "/")).is_dir()
    )
    return published_tags[-1][1] if published_tags else None


def bento_home(settings: Settings) -> Path:
    """BentoML's store."""
    return settings.paths.registry / "bentoml"


def serve_environment(settings: Settings) -> dict[str, str]:
    """The environment of the server: ours, with BentoML kept inside the home and silent to the outside."""
    home = bento_home(settings)
    home.mkdir(parents=True, exist_ok=True)
    return child_environment(
        settings, BENTOML_HOME=str(home), BENTOML_DO_NOT_TRACK="True", OMP_NUM_THREADS="1"
    )
