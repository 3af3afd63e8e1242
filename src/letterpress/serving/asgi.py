"""The HTTP face of the service: a bare ASGI application without a framework (ADR 0006).

One path look-up, one body, one answer. Every refusal is an RFC 9457 problem document.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable

import msgspec

from letterpress.errors import LetterpressError
from letterpress.serving.front_door import RANK, App, Receive, Scope, Send, step_to_the_front
from letterpress.serving.messages import RankRequest
from letterpress.serving.problems import CONTENT_TYPE as PROBLEM
from letterpress.serving.problems import RequestProblemError, from_error, problem, wrong_body
from letterpress.serving.service import RankingService

Headers = tuple[tuple[bytes, bytes], ...]

JSON = b"application/json"
JSON_TYPES = (b"application/json", b"application/x-ndjson", b"application/jsonl", b"application/ndjson")
PROMETHEUS = b"text/plain; version=0.0.4; charset=utf-8"
BENTO_PREFIX = "/bento/"
BENTO_PATHS = ("/schema.json",)
"""What BentoML answers itself: its typed API, and the description that its clients read."""

METHODS = {
    RANK: "POST",
    "/v1/events": "POST",
    "/livez": "GET",
    "/readyz": "GET",
    "/metrics": "GET",
    "/docs.json": "GET",
}
MEASURED = frozenset(METHODS)
REQUEST_SECONDS = 5
"""How long a request may take. BentoML sees to it for everything but ranking, which stands before it."""

_rank_decoder = msgspec.json.Decoder(RankRequest)
_encoder = msgspec.json.Encoder()


class Entrance:
    """ASGI middleware that answers our paths and passes BentoML's on, after the same token check.

    It stands in front of BentoML's router, because that answers `/readyz` with yes or no only.
    """

    def __init__(self, app: App, service: RankingService) -> None:
        self._bento = app
        self._service = service
        token = service.settings.service.token
        self._authorization = None if token is None else b"Bearer " + token.get_secret_value().encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                step_to_the_front(self, scope)
            await self._bento(scope, receive, send)
            return
        started = time.perf_counter()
        path: str = scope["path"]
        slate_line: Callable[[], None] | None = None
        status, content_type = 200, JSON
        extra: Headers = ()
        try:
            if path.startswith(BENTO_PREFIX) or path in BENTO_PATHS:
                self._check_token(scope)
                await self._bento(scope, receive, send)
                return
            if path == RANK:
                slate_line, content = await self._rank_in_time(scope, receive)
            else:
                content, status, content_type = await self._answer(scope, receive, path)
        except LetterpressError as error:
            status, content, extra = _refuse(error)
            content_type = PROBLEM
        await _send(send, status, content, content_type, extra)
        self._service.metrics.observe(
            path if path in MEASURED else "other", status, time.perf_counter() - started
        )
        if slate_line is not None:  # off the path of this request: its answer is on the way
            slate_line()

    async def _rank_in_time(self, scope: Scope, receive: Receive) -> tuple[Callable[[], None], bytes]:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                return await self._rank(await self._read_body(scope, receive, RANK))
        except TimeoutError as error:
            raise problem(
                504,
                "Too late",
                f"expected the body and the keys of its tenant within {REQUEST_SECONDS:g} s; send it again.",
                headers=((b"connection", b"close"),),
            ) from error

    async def _rank(self, body: bytes) -> tuple[Callable[[], None], bytes]:
        try:
            request = _rank_decoder.decode(body)
        except (ValueError, RecursionError) as error:
            raise wrong_body(error, body) from error
        ranked = await self._service.rank(request, has_escapes=b"\\" in body)
        return lambda: self._service.log_slate(ranked), _encoder.encode(ranked.to_answer())

    async def _answer(self, scope: Scope, receive: Receive, path: str) -> tuple[bytes, int, bytes]:
        """Content, status and content type of every route but the hot one."""
        if path == "/v1/events":
            body = await self._read_body(scope, receive, path)
            return _encoder.encode(await self._service.intake.take(body)), 200, JSON
        self._check_method(scope, path)
        if path == "/livez":
            return b'{"alive":true}', 200, JSON
        if path == "/docs.json":
            return self._service.openapi, 200, JSON
        readiness = self._service.readiness()
        if path == "/metrics":
            return self._service.metrics.to_prometheus(readiness), 200, PROMETHEUS
        return _encoder.encode(readiness), 200 if readiness.ready else 503, JSON

    def _check_method(self, scope: Scope, path: str) -> None:
        expected = METHODS.get(path)
        if expected is None:
            raise problem(404, "Not found", "expected one of the known paths.", known=sorted(METHODS))
        if scope["method"] != expected and not (scope["method"] == "HEAD" and expected == "GET"):
            raise problem(
                405,
                "Method not allowed",
                f"expected {expected} {path}, found {scope['method']}.",
                headers=((b"allow", expected.encode()),),
            )

    def _check_token(self, scope: Scope) -> None:
        if self._authorization is None:
            return
        found = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if not hmac.compare_digest(found, self._authorization):
            raise problem(
                401,
                "Unauthorized",
                "expected `Authorization: Bearer <token>` with this service's token.",
                headers=((b"www-authenticate", b"Bearer"),),
            )

    async def _read_body(self, scope: Scope, receive: Receive, path: str) -> bytes:
        """The body, after method, token, content type and size were found to be right."""
        self._check_method(scope, path)
        self._check_token(scope)
        limit = self._service.settings.service.max_body_bytes
        for name, value in scope["headers"]:
            if name == b"content-type":
                _check_content_type(value)
            elif name == b"content-length" and int(value) > limit:
                raise _too_large(limit)
        message = await receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body", False):
            parts, size = [body], len(body)
            while message.get("more_body", False) and size <= limit:
                message = await receive()
                parts.append(message.get("body", b""))
                size += len(parts[-1])
            body = b"".join(parts)
        if len(body) > limit:
            raise _too_large(limit)
        return body


def _check_content_type(value: bytes) -> None:
    media_type = value.partition(b";")[0].strip().lower()
    if media_type not in JSON_TYPES and not media_type.endswith(b"+json"):
        raise problem(415, "Unsupported media type", "expected the header `Content-Type: application/json`.")


def _too_large(limit: int) -> RequestProblemError:
    return problem(
        413,
        "Body too large",
        f"expected at most {limit} bytes; send fewer items or events in one request.",
        headers=((b"connection", b"close"),),
    )


def _refuse(error: LetterpressError) -> tuple[int, bytes, Headers]:
    refusal = from_error(error)
    return refusal.problem.status, _encoder.encode(refusal.problem), refusal.headers


async def _send(send: Send, status: int, content: bytes, content_type: bytes, extra: Headers) -> None:
    headers = [(b"content-type", content_type), (b"content-length", b"%d" % len(content)), *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
