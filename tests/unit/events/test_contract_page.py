"""The page for the editor's developers says what the models say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from letterpress.events.codec import REASONS, decode_line, encode
from letterpress.events.contract_page import PARTS, render_contract
from letterpress.events.examples import example_events
from letterpress.events.schemas import event_schemas
from letterpress.events.types import EVENT_NAMES, EVENT_TYPES, marks_of, model_fields, personal_fields

PAGE = Path(__file__).resolve().parents[3] / "docs" / "events" / "README.md"


def test_the_published_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == render_contract(), "draw it anew: make docs"


def test_every_field_of_every_event_and_part_has_a_meaning() -> None:
    for model in (*EVENT_TYPES, *PARTS.values()):
        missing = [each.name for each in model_fields(model) if not marks_of(each.type).get("description")]
        assert missing == [], model.__name__


def test_every_field_is_on_the_page_once_for_each_model_that_declares_it() -> None:
    page = render_contract()
    for model in PARTS.values():
        for each in model_fields(model):
            assert f"| `{each.name}` |" in page
    for name in EVENT_NAMES:
        section = page.split(f"## `{name}`\n")[1].split("\n## ")[0]
        rows = [line for line in section.splitlines() if line.startswith("| `")]
        personal = {line.split("`")[1] for line in rows if "*Personal.*" in line}
        assert personal == set(personal_fields(name))


def test_the_examples_on_the_page_are_events_that_fit_the_schemas() -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="an independent check, where it is installed")
    examples = re.findall(r"```json\n(.*?)\n```", render_contract(), re.DOTALL)
    assert [json.loads(each)["type"] for each in examples] == list(EVENT_NAMES)
    for text in examples:
        document = json.loads(text)
        decode_line(text.encode())
        jsonschema.Draft202012Validator(event_schemas()[document["type"]]).validate(document)


def test_the_examples_are_read_as_they_were_written() -> None:
    for event in example_events().values():
        assert decode_line(encode(event)) == event


def test_every_reason_is_explained() -> None:
    page = render_contract()
    assert [code for code in REASONS if f"| `{code}` |" not in page] == []
