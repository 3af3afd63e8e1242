"""`letterpress serve`: the ranking service in the foreground."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from letterpress.cli.output import JsonOption, print_result
from letterpress.errors import BrokenError, NotYetThereError
from letterpress.settings import Settings, read_settings

PortOption = Annotated[
    int | None, typer.Option(min=1, max=65535, help="Port to listen on; the setting's when not given.")
]
BentoOption = Annotated[
    str | None, typer.Option(help="Tag of the Bento to serve; the published one when not given.")
]


def command(*, port: PortOption = None, bento: BentoOption = None, as_json: JsonOption = False) -> None:
    """Answer /v1/rank and /v1/events until stopped; newer models are taken over meanwhile."""
    from letterpress.orchestration.process_group import refuse_used_port

    settings = read_settings()
    port = settings.service.port if port is None else port
    refuse_used_port("service", port)
    program = Path(sys.executable).with_name("bentoml")
    if not program.exists():
        raise BrokenError(f"expected BentoML at {program}, found nothing. Run `make setup`.")
    if bento is not None and not _is_stored(settings, bento):
        raise NotYetThereError(
            f"expected a Bento in {settings.paths.registry}, found no {bento}; "
            "`letterpress package` makes one and says its tag."
        )
    arguments = serve_arguments(settings, port, bento)
    if as_json:
        address = {"service": f"http://{settings.service.host}:{port}", "bento": arguments[1]}
        print_result(address, as_json=True)
        sys.stdout.flush()
    os.execve(program, [str(program), *arguments], serve_environment(settings))  # noqa: S606  # no shell


def serve_arguments(settings: Settings, port: int, bento: str | None = None) -> list[str]:
    """What `bentoml` is called with: the given Bento, else the published one, else the sources."""
    target = bento or published_bento(settings) or str(settings.project / "bentos" / "ranking")
    return ["serve", target, "--host", settings.service.host, "--port", str(port)]


def published_bento(settings: Settings) -> str | None:
    """Tag of the newest published Bento that is in the store."""
    from letterpress.registry.publication import published

    newest_first = sorted(
        published(settings.paths).values(), key=lambda each: each.published_at, reverse=True
    )
    tags = [each.bento for each in newest_first if each.bento is not None]
    return next((tag for tag in tags if _is_stored(settings, tag)), None)


def _is_stored(settings: Settings, tag: str) -> bool:
    from letterpress.registry.packaging import bento_store

    name, _, version = tag.partition(":")
    return bool(name and version) and (bento_store(settings.paths) / "bentos" / name / version).is_dir()


def serve_environment(settings: Settings) -> dict[str, str]:
    """The environment of the server: BentoML keeps inside the home; XGBoost starts no threads."""
    from letterpress.registry.packaging import bento_environment, bento_store

    bento_store(settings.paths).mkdir(parents=True, exist_ok=True)
    return bento_environment(settings) | {"OMP_NUM_THREADS": "1"}
