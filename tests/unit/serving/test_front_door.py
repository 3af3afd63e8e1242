"""What is ranked passes no middleware of BentoML's; everything else does."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware

from letterpress.serving.front_door import App, Receive, Scope, Send, step_to_the_front


class Counting:
    """Middleware in front of ours, as BentoML's is."""

    seen: list[str]

    def __init__(self, app: App, seen: list[str]) -> None:
        self._app, self.seen = app, seen

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(scope.get("path", scope["type"]))
        await self._app(scope, receive, send)


class Answering:
    """Middleware behind it that answers all requests itself, and steps to the front when it is started."""

    def __init__(self, app: App, answered: list[str]) -> None:
        self._app, self._answered = app, answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            step_to_the_front(self, scope)
            await self._app(scope, receive, send)
        else:
            self._answered.append(scope["path"])


async def start(application: App) -> None:
    steps = ["lifespan.startup", "lifespan.shutdown"]

    async def receive() -> dict[str, Any]:
        return {"type": steps.pop(0)}

    async def send(_message: Any) -> None:
        pass

    await application({"type": "lifespan"}, receive, send)


async def ask(application: App, path: str) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(_message: Any) -> None:
        pass

    await application({"type": "http", "path": path}, receive, send)


def test_once_started_only_what_is_ranked_passes_by_the_middleware_in_front() -> None:
    seen: list[str] = []
    answered: list[str] = []
    application = Starlette(
        middleware=[Middleware(Counting, seen=seen), Middleware(Answering, answered=answered)]
    )

    async def ask_before_and_after() -> None:
        await ask(application, "/v1/rank")
        for _ in range(2):  # a server may start it again
            await start(application)
        for path in ("/v1/rank", "/v1/events", "/readyz"):
            await ask(application, path)

    asyncio.run(ask_before_and_after())
    assert answered == ["/v1/rank", "/v1/rank", "/v1/events", "/readyz"]
    assert seen == ["/v1/rank", "lifespan", "lifespan", "/v1/events", "/readyz"]


def test_another_kind_of_application_is_left_as_it_is() -> None:
    async def ranking(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError

    unlike = SimpleNamespace(middleware_stack=None)
    step_to_the_front(ranking, {"type": "lifespan", "app": unlike})
    step_to_the_front(ranking, {"type": "lifespan"})
    assert unlike.middleware_stack is None
