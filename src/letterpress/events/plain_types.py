"""The event types without the patterns of their texts: matching them took half of the time of decoding.

A field with a pattern is a name, of which a log has few: whoever decodes to these types matches each once.
"""

from __future__ import annotations

import re
from functools import reduce
from operator import or_
from typing import Any

from msgspec import Struct, defstruct, inspect

from letterpress.events.types import EVENT_NAMES, EVENT_TYPES, Event, model_fields


def _pattern_of(kind: inspect.Type) -> str | None:
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    return kind.pattern if isinstance(kind, inspect.StrType) else None


def _find_patterns(model: type[Event]) -> dict[str, re.Pattern[str]]:
    found = {each.name: _pattern_of(each.type) for each in model_fields(model)}
    return {name: re.compile(pattern) for name, pattern in found.items() if pattern is not None}


def _without_patterns(name: str, model: type[Event]) -> type[Struct]:
    fields: list[Any] = [(field, str) for field in PATTERNS[name]]
    return defstruct(f"Plain{model.__name__}", fields, bases=(model,), tag=name, kw_only=True, gc=False)


PATTERNS: dict[str, dict[str, re.Pattern[str]]] = {
    name: _find_patterns(model) for name, model in zip(EVENT_NAMES, EVENT_TYPES, strict=True)
}
"""By event type, the fields whose texts must match a pattern."""
PlainEvent: Any = reduce(
    or_, [_without_patterns(name, model) for name, model in zip(EVENT_NAMES, EVENT_TYPES, strict=True)]
)
"""To decode to: any of them, each a subclass of its event type."""
