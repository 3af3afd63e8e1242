"""The published schemas are those of the typed models."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from letterpress.events.schemas import event_schemas, render_schema
from letterpress.events.types import EVENT_NAMES

PUBLISHED = Path(__file__).resolve().parents[3] / "docs" / "events"


@pytest.mark.parametrize("name", EVENT_NAMES)
def test_the_published_schema_is_current(name: str) -> None:
    expected = render_schema(event_schemas()[name])
    found = (PUBLISHED / f"{name}.schema.json").read_text(encoding="utf-8")
    assert found == expected, "write them anew: make docs"


def test_the_golden_log_fits_the_published_schemas(golden: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="an independent check, where it is installed")
    validators = {name: jsonschema.Draft202012Validator(schema) for name, schema in event_schemas().items()}
    lines = (golden / "native_log.jsonl").read_bytes().splitlines()
    assert {json.loads(line)["type"] for line in lines} == set(EVENT_NAMES)
    for line in lines[::5]:
        event = msgspec.json.decode(line)
        validators[event["type"]].validate(event)
