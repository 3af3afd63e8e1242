"""The OpenAPI 3.1 document of the service, generated from the message types."""

from __future__ import annotations

from typing import Any

import msgspec

from letterpress.events.types import Item
from letterpress.serving.messages import EventsAnswer, Problem, RankAnswer, RankRequest, Readiness

PROBLEMS = {
    400: "The body is no JSON.",
    401: "The bearer token is missing or wrong.",
    404: "No such path or recommender.",
    405: "The path takes another method.",
    413: "The body is too large.",
    415: "The body is of another content type.",
    422: "A field does not fit; `field` names it.",
    503: "Nothing to answer with yet, or the log is slow; try again later.",
    507: "The log's disk is full; nothing was accepted.",
}


def build_document(*, version: str, needs_token: bool) -> dict[str, Any]:
    """The document as plain JSON values."""
    types = [RankRequest, RankAnswer, EventsAnswer, Problem, Readiness, Item]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    ranked, answered, taken, refused, readiness, _event = schemas
    problems = {
        str(status): _content(text, refused, "application/problem+json") for status, text in PROBLEMS.items()
    }
    events = {
        "description": "Native events (docs/events/): an array, an object with `events`, or one a line.",
        "oneOf": [
            {"type": "array", "items": {"type": "object"}},
            {"type": "object", "properties": {"events": {"type": "array"}}},
        ],
    }
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Letterpress ranking service", "version": version},
        "paths": {
            "/v1/rank": {"post": _operation("Rank the candidates for a slot.", ranked, answered, problems)},
            "/v1/events": {"post": _operation("Accept a batch of events, durably.", events, taken, problems)},
            "/readyz": {"get": _probe("Whether slates can be answered, and why not.", readiness)},
            "/livez": {"get": _probe("Whether the process answers.", {"type": "object"})},
            "/metrics": {"get": {"summary": "Prometheus text.", "responses": {"200": {"description": "OK"}}}},
        },
        "components": {"schemas": components},
    }
    if needs_token:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return document


def _content(text: str, schema: dict[str, Any], media_type: str = "application/json") -> dict[str, Any]:
    return {"description": text, "content": {media_type: {"schema": schema}}}


def _operation(
    summary: str, body: dict[str, Any], answer: dict[str, Any], problems: dict[str, Any]
) -> dict[str, Any]:
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"200": _content("OK", answer), **problems},
    }


def _probe(summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": _content("OK", schema)}}
