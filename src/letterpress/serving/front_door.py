"""Ranks before BentoML's middleware does its part: a task, a timer and a tracing check a request (ADR 0033).

BentoML puts the middleware of others behind its own. When the server starts, everything is told so by a
message of the ASGI lifespan, which passes all middleware and names the application that it belongs to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from letterpress.log import logger

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

RANK = "/v1/rank"
_STACK = "middleware_stack"


class FrontDoor:
    """ASGI application: `ranking` answers `RANK`, and `everything` whatever else there is."""

    def __init__(self, ranking: App, everything: App) -> None:
        self._ranking, self._everything = ranking, everything

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == RANK:
            await self._ranking(scope, receive, send)
        else:
            await self._everything(scope, receive, send)


def step_to_the_front(ranking: App, lifespan: Scope) -> None:
    """Let `ranking` answer `RANK` before the middleware of the Starlette application that starts.

    Where it is another application nothing changes: everything is answered as before, only later.
    """
    application = lifespan.get("app")
    stack = getattr(application, _STACK, None)
    if stack is None or isinstance(stack, FrontDoor):
        return
    setattr(application, _STACK, FrontDoor(ranking, stack))
    logger.info("front_door answers path=%s", RANK)
