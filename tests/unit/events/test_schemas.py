"""The published schemas are those of the typed models."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from letterpress.events.codec import encode
from letterpress.events.examples import example_events
from letterpress.events.schemas import event_schemas, render_schema
from letterpress.events.types import EVENT_NAMES, personal_fields

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


def test_what_is_written_fits_the_schemas_and_unknown_fields_are_allowed() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="an independent check, where it is installed")
    schemas = event_schemas()
    for name, event in example_events().items():
        event.extra = {"theme": {"colours": [1, None]}}
        document = json.loads(encode(event))
        validator = jsonschema.Draft202012Validator(schemas[name])
        validator.validate(document)
        validator.validate({**document, "never_heard_of": [{}]})
        with pytest.raises(jsonschema.ValidationError):
            validator.validate({**document, "tenant": 7})


def test_the_schema_says_which_fields_are_personal() -> None:
    for name, schema in event_schemas().items():
        (model,) = (part for part in schema["$defs"].values() if "event_id" in part["properties"])
        marked = [field for field, each in model["properties"].items() if "x-personal" in each]
        assert tuple(sorted(marked)) == personal_fields(name)
