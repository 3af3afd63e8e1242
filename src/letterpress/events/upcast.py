"""Older events as today's: one function a version, each taking decoded JSON of version n to n + 1.

A line without `version` may be of any: senders left it out while there was only one, and it still may be
left out. So a function changes only what the older version alone had, and a line that the current models
can read whole has nothing in it to change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from letterpress.events.types import SCHEMA_VERSION

Document = dict[str, Any]


def _to_2(document: Document) -> None:
    """`schema_hash` of a slate became `feature_schema`, since events have a schema too."""
    if document.get("type") == "slate" and "schema_hash" in document:
        document.setdefault("feature_schema", document.pop("schema_hash"))


STEPS: tuple[Callable[[Document], None], ...] = (_to_2,)
"""`STEPS[n - 1]` takes version n to n + 1, in place."""


def upcast(document: Document) -> None:
    """Bring a decoded event to the current version, in place; one of an unreadable version stays as it is."""
    version = document.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        return
    for step in STEPS[version - 1 :]:
        step(document)
    document["version"] = SCHEMA_VERSION
