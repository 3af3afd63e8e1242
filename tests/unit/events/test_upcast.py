"""Lines of earlier versions are read as today's events."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from letterpress.events.codec import decode_line, encode
from letterpress.events.types import EVENT_NAMES, SCHEMA_VERSION, Slate
from letterpress.events.upcast import STEPS, upcast

PUBLISHED = Path(__file__).resolve().parents[3] / "docs" / "events"


@pytest.fixture
def lines(golden: Path) -> list[bytes]:
    """A log of version 1: every event type, with and without its version."""
    return (golden / "v1_log.jsonl").read_bytes().splitlines()


def test_there_is_a_step_from_every_version_to_the_next() -> None:
    assert len(STEPS) == SCHEMA_VERSION - 1


def test_a_log_of_version_1_fits_its_published_schemas(lines: list[bytes]) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="an independent check, where it is installed")
    found = set()
    for line in lines:
        event = json.loads(line)
        schema = json.loads((PUBLISHED / "v1" / f"{event['type']}.schema.json").read_text())
        jsonschema.Draft202012Validator(schema).validate(event)
        found.add(event["type"])
    assert found == set(EVENT_NAMES)


def test_every_line_of_version_1_becomes_an_event_of_today_with_nothing_unknown(lines: list[bytes]) -> None:
    events = [decode_line(line) for line in lines]
    assert {event.version for event in events} == {SCHEMA_VERSION}
    assert [event.extra for event in events] == [{}] * len(lines)
    slates = [event for event in events if isinstance(event, Slate)]
    assert [slate.feature_schema for slate in slates] == ["0a1b2c3d"] * 2
    assert slates[0].items[0].features == [1.0, None]


def test_the_version_may_be_left_out_without_changing_what_is_read(lines: list[bytes]) -> None:
    for line in lines:
        document = json.loads(line)
        with_version = json.dumps({**document, "version": 1}).encode()
        without = json.dumps({name: value for name, value in document.items() if name != "version"}).encode()
        assert decode_line(with_version) == decode_line(without)


def test_an_event_of_today_is_not_changed(golden: Path) -> None:
    for line in (golden / "native_log.jsonl").read_bytes().splitlines()[::10]:
        event = decode_line(line)
        document = msgspec.json.decode(line)
        upcast(document)
        assert decode_line(msgspec.json.encode(document)) == event == decode_line(encode(event))


def test_a_field_that_was_renamed_later_is_unknown_in_a_line_of_the_version_that_renamed_it() -> None:
    document = {"type": "slate", "version": 2, "schema_hash": "aa"}
    upcast(document)
    assert document["schema_hash"] == "aa"


@pytest.mark.parametrize("version", [0, 3, True, "1", None, 1.0])
def test_a_version_that_cannot_be_read_is_left_to_the_model(version: object) -> None:
    document = {"type": "slate", "version": version, "schema_hash": "aa"}
    upcast(document)
    assert document == {"type": "slate", "version": version, "schema_hash": "aa"}
