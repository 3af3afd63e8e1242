"""Fields that no model knows: taken out of a decoded event and kept in its `extra`, by their path."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from msgspec import inspect

from letterpress.events.types import EVENT_NAMES, EVENT_TYPES

DEEPEST = 32
"""Levels that an unknown field may be nested, so that whoever walks it later need not count."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """The names of a model's fields, and the models inside it."""

    names: frozenset[str]
    parts: dict[str, _Shape]


def set_unknown_aside(document: dict[str, Any]) -> None:
    """Move what the model of `document["type"]` does not know into `document["extra"]`, in place.

    Paths are as in `campaign.colour` and `items[0].badge`. An entry that was sent in `extra` under the
    path of another field is kept as `extra.<path>`. A document of an unknown type stays as it is.
    """
    shape = _shapes().get(document.get("type", ""))
    sent = document.get("extra", {})
    if shape is None or not isinstance(sent, dict):
        return
    found: dict[str, Any] = {}
    _collect(document, shape, "", found)
    if found:
        kept = {f"extra.{path}" if path in found else path: value for path, value in sent.items()}
        document["extra"] = {**kept, **found}


def is_too_deep(value: Any, levels: int = DEEPEST) -> bool:
    """Whether a decoded JSON value is nested more than `levels` deep.

    >>> is_too_deep([[1]], levels=1), is_too_deep([[1]], levels=2)
    (True, False)
    """
    if not isinstance(value, dict | list):
        return False
    if levels == 0:
        return True
    children = value.values() if isinstance(value, dict) else value
    return any(is_too_deep(child, levels - 1) for child in children)


def _collect(part: dict[str, Any], shape: _Shape, prefix: str, found: dict[str, Any]) -> None:
    for name in [name for name in part if name not in shape.names]:
        found[prefix + name] = part.pop(name)
    for name, inner in shape.parts.items():
        value = part.get(name)
        if isinstance(value, dict):
            _collect(value, inner, f"{prefix}{name}.", found)
        elif isinstance(value, list):
            for index, each in enumerate(value):
                if isinstance(each, dict):
                    _collect(each, inner, f"{prefix}{name}[{index}].", found)


@cache
def _shapes() -> dict[str, _Shape]:
    kinds = zip(EVENT_NAMES, EVENT_TYPES, strict=True)
    shapes = {name: _shape_of(inspect.type_info(kind)) for name, kind in kinds}
    return {name: shape for name, shape in shapes.items() if shape is not None}


def _shape_of(kind: inspect.Type) -> _Shape | None:
    """Of a model, of a list of them, or of one that may be null; None for anything else."""
    if isinstance(kind, inspect.Metadata):
        return _shape_of(kind.type)
    if isinstance(kind, inspect.ListType):
        return _shape_of(kind.item_type)
    if isinstance(kind, inspect.UnionType):
        return next((shape for each in kind.types if (shape := _shape_of(each)) is not None), None)
    if not isinstance(kind, inspect.StructType):
        return None
    parts = {each.encode_name: _shape_of(each.type) for each in kind.fields}
    names = frozenset(parts) | ({kind.tag_field} if kind.tag_field else set())
    return _Shape(names, {name: shape for name, shape in parts.items() if shape is not None})
