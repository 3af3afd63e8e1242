"""The Bento of the ranking service: our ASGI entrance in front of BentoML, and one typed API behind it.

Everything that thinks is in `letterpress.serving`. The paths of the interface are answered by `Entrance`
before BentoML's router; BentoML's own paths lie under `/bento`, so that `/readyz` and `/metrics` are ours.
"""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any

import bentoml  # not followed by the type checker, hence the ignores below
from bentoml.exceptions import BentoMLException

from letterpress.errors import LetterpressError
from letterpress.log import configure_log
from letterpress.serving.asgi import REQUEST_SECONDS, Entrance
from letterpress.serving.lifeline import end_with_parent
from letterpress.serving.problems import from_error
from letterpress.serving.service import RankingService
from letterpress.settings import Home, read_settings

configure_log()
SETTINGS = read_settings()
PACKED = Home(root=Path(__file__).resolve().with_name("packed"))  # there is none beside the sources
SERVICE = RankingService(SETTINGS, packed=PACKED if PACKED.root.is_dir() else None)


@bentoml.service(
    name="ranking",
    path_prefix="/bento",
    workers=SETTINGS.service.workers,
    # Its timers live until the timeout, however early the answer. Ranking has its own.
    traffic={"timeout": REQUEST_SECONDS},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
    # Tracing costs 290 us a request even when nobody collects it.
    tracing={"excluded_urls": ".*"},
)
class Ranking:
    """Ranks items for a slot of an e-mail."""

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    def start(self) -> None:
        end_with_parent()
        SERVICE.start()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        SERVICE.stop()

    @bentoml.api(route="/rank")  # type: ignore[untyped-decorator]
    async def rank(self, request: dict[str, Any]) -> dict[str, Any]:
        """The same as `POST /v1/rank`, for BentoML's own clients."""
        try:
            return await SERVICE.rank_document(request)
        except LetterpressError as error:
            problem = from_error(error).problem
            raise BentoMLException(problem.detail, error_code=HTTPStatus(problem.status)) from error


Ranking.add_asgi_middleware(Entrance, service=SERVICE)  # type: ignore[attr-defined]
