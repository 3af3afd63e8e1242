"""What no model knows is kept beside what it knows."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterpress.events.codec import decode_line, encode
from letterpress.events.types import EVENT_NAMES, Outcome, model_fields, personal_fields

ENVELOPE = {
    "event_id": "e1",
    "tenant": "fern",
    "recommender": "image_enhancement",
    "occurred_at": "2026-01-05T03:04:05Z",
}
OUTCOME = {"type": "outcome", **ENVELOPE, "slate_id": "s1", "item_id": "i1", "kind": "clicked"}
SLATE: dict[str, Any] = {
    "type": "slate",
    **ENVELOPE,
    "slate_id": "s1",
    "campaign": {"campaign_id": "c1"},
    "slot": "hero",
    "policy": "uniform",
    "items": [{"item_id": "i1", "position": 1}, {"item_id": "i2", "position": 2}],
}


def read(document: dict[str, Any]) -> Any:
    return decode_line(msgspec.json.encode(document))


def test_unknown_fields_are_kept_under_their_paths() -> None:
    items = [{**SLATE["items"][0], "badge": "new"}, SLATE["items"][1]]
    campaign = {"campaign_id": "c1", "colour": {"h": 12}}
    event = read({**SLATE, "items": items, "campaign": campaign, "theme": None})
    assert event.extra == {"items[0].badge": "new", "campaign.colour": {"h": 12}, "theme": None}
    event.extra = {}
    assert event == read(SLATE)


def test_what_was_kept_is_kept_again_when_the_event_is_written_and_read() -> None:
    event = read({**OUTCOME, "theme": {"name": "autumn", "colours": [1, 2.5, None, True]}})
    assert decode_line(encode(event)) == event


def test_extra_may_be_sent_and_loses_nothing_to_a_field_of_the_same_path() -> None:
    event = read({**OUTCOME, "extra": {"theme": 1, "zoom": 2}, "theme": 3})
    assert event.extra == {"extra.theme": 1, "zoom": 2, "theme": 3}


@pytest.mark.parametrize("name", ["", "a.b", "items[0]", "type ", "é", "../x", '"'])
def test_any_name_of_a_field_is_kept(name: str) -> None:
    assert read({**OUTCOME, name: 7}).extra == {name: 7}


_SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
_TEXTS = st.text(
    st.characters(min_codepoint=32, exclude_characters="\x7f", exclude_categories=["Cs"]), max_size=8
)
_JSON = st.recursive(
    _SCALARS.filter(lambda value: value not in (float("inf"), float("-inf"))) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(_TEXTS, _JSON, min_size=1, max_size=4))
def test_whatever_is_unknown_is_in_extra_and_the_rest_is_as_without_it(unknown: dict[str, Any]) -> None:
    known = {"type", *(each.name for each in model_fields(Outcome))}
    added = {name: value for name, value in unknown.items() if name not in known}
    event = read({**added, **OUTCOME})
    assert event.extra == msgspec.json.decode(msgspec.json.encode(added))
    event.extra = {}
    assert event == read(OUTCOME)


def test_personal_fields_are_those_that_the_models_declare() -> None:
    assert {name: personal_fields(name) for name in EVENT_NAMES} == {
        "item": ("person_id",),
        "campaign": (),
        "slate": ("builder_id", "session_id"),
        "interaction": ("builder_id", "session_id"),
        "outcome": ("recipient_id",),
    }
