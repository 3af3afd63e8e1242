"""JSON Schemas of the events, generated from the typed models and published in `docs/events/`.

Those of earlier versions stay in `docs/events/v<version>/` as they were published.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from letterpress.events.contract_page import render_contract
from letterpress.events.types import EVENT_NAMES, EVENT_TYPES, SCHEMA_VERSION

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def event_schemas() -> dict[str, dict[str, Any]]:
    """For every event type its JSON Schema (draft 2020-12), self-contained."""
    schemas = {}
    for name, kind in zip(EVENT_NAMES, EVENT_TYPES, strict=True):
        (reference,), parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
        schemas[name] = {
            "$schema": DIALECT,
            "title": f"{name}, version {SCHEMA_VERSION}",
            **reference,
            "$defs": {part: _open(schema) for part, schema in parts.items()},
        }
    return schemas


def _open(schema: dict[str, Any]) -> dict[str, Any]:
    """Unknown fields are kept, not refused: the strictness of the models is the reader's own affair."""
    return {key: value for key, value in schema.items() if key != "additionalProperties"}


def render_schema(schema: dict[str, Any]) -> str:
    """The text of a published schema file."""
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def write_schemas(folder: Path) -> list[Path]:
    """Write `<event>.schema.json` for every event type; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in event_schemas().items():
        path = folder / f"{name}.schema.json"
        path.write_text(render_schema(schema), encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
    (Path(sys.argv[1]) / "README.md").write_text(render_contract(), encoding="utf-8")
