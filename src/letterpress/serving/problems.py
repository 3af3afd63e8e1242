"""Turns everything that can go wrong with a request into an RFC 9457 problem document."""

from __future__ import annotations

import re

import msgspec

from letterpress.errors import LetterpressError
from letterpress.serving.messages import Problem

CONTENT_TYPE = b"application/problem+json"
_PATH = re.compile(r" - at `\$\.?(?P<path>.*)`$")
_MISSING = re.compile(r"missing required field `(?P<field>[^`]+)`")


class RequestProblemError(LetterpressError):
    """A request that is answered with `problem`; `headers` go with it."""

    title = "Request refused"

    def __init__(self, problem: Problem, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = headers


def problem(
    status: int,
    title: str,
    detail: str,
    *,
    field: str | None = None,
    known: list[str] | None = None,
    headers: tuple[tuple[bytes, bytes], ...] = (),
) -> RequestProblemError:
    """The error to raise for a request that cannot be answered."""
    document = Problem(title=title, status=status, detail=detail, field=field, known=known)
    return RequestProblemError(document, headers)


def wrong_field(field: str, detail: str) -> RequestProblemError:
    """422: the JSON is well formed but `field` does not fit."""
    return problem(422, "Invalid request", detail, field=field)


def wrong_body(error: Exception, body: bytes = b"null") -> RequestProblemError:
    """400 for a body that is no JSON, 422 with the field's path for one that has another shape.

    The decoder stops at the first thing that does not fit, so the rest is read to see if it is JSON.
    """
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (ValueError, RecursionError) as not_json:
        error = not_json
    if not isinstance(error, msgspec.ValidationError):
        reason = "a document nested too deeply" if isinstance(error, RecursionError) else str(error)
        return problem(400, "Not JSON", f"expected a JSON body, found: {reason}. Send one JSON document.")
    where, missing = _PATH.search(str(error)), _MISSING.search(str(error))
    path = ".".join(
        part for part in (where["path"] if where else "", missing["field"] if missing else "") if part
    )
    text = _PATH.sub("", str(error))
    return wrong_field(path, f"{path or 'body'}: {text}. The schema is at /docs.json.")


def from_error(error: LetterpressError) -> RequestProblemError:
    """The problem document for one of our own errors."""
    if isinstance(error, RequestProblemError):
        return error
    return problem(error.http_status, error.title, str(error))
