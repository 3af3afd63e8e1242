"""Metarank's events as ours: one line, one event."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterpress.events.codec import BadLine, decode_line, encode
from letterpress.events.metarank import NO_RANKING, convert_metarank
from letterpress.events.types import AnyEvent, Interaction, Item, Slate

AT = datetime(2022, 6, 22, 11, 21, 39, tzinfo=UTC)
ITEM = {
    "event": "item",
    "id": "m1",
    "timestamp": "1655896899000",
    "item": "boots",
    "fields": [
        {"name": "price", "value": 69},
        {"name": "is_new", "value": True},
        {"name": "title", "value": "red boots"},
        {"name": "colours", "value": ["red", "black"]},
        {"name": "sizes", "value": [41, 42.5]},
    ],
}
RANKING = {
    "event": "ranking",
    "id": "r1",
    "timestamp": 1655896899000,
    "user": "anna",
    "session": "anna-1",
    "fields": [{"name": "query", "value": "boots"}, {"name": "page", "value": 2}],
    "items": [{"id": "boots", "relevancy": 2.5}, {"id": "socks"}],
}
CLICK = {
    "event": "interaction",
    "id": "c1",
    "type": "click",
    "ranking": "r1",
    "timestamp": "2022-06-22T13:21:39+02:00",
    "user": "anna",
    "session": "anna-1",
    "item": "boots",
}
USER = {
    "event": "user",
    "id": "u1",
    "timestamp": 1655896899,
    "user": "anna",
    "fields": [{"name": "age", "value": 33}],
}


def convert(*documents: dict[str, Any], **names: str) -> list[AnyEvent | BadLine]:
    lines = [json.dumps(each).encode() for each in documents]
    return list(convert_metarank(enumerate(lines, start=1), **names))


def test_each_kind_of_event_has_its_counterpart_at_its_time() -> None:
    item, ranking, click, user = convert(ITEM, RANKING, CLICK, USER)
    assert isinstance(item, Item)
    assert isinstance(ranking, Slate)
    assert isinstance(click, Interaction)
    assert isinstance(user, Item)
    assert {event.occurred_at for event in (item, ranking, click, user)} == {AT}
    assert item.attributes == {"price": 69, "is_new": 1, "sizes[0]": 41, "sizes[1]": 42.5}
    assert item.labels == {"title": "red boots", "colours[0]": "red", "colours[1]": "black"}
    assert [(each.item_id, each.position, each.score) for each in ranking.items] == [
        ("boots", 1, 2.5),
        ("socks", 2, None),
    ]
    assert ranking.campaign.labels == {"query": "boots", "page": "2"}
    assert (click.slate_id, click.item_id, click.action) == (ranking.slate_id, "boots", "chosen")
    assert click.extra == {"type": "click", "id": "c1"}
    for event in (item, ranking, click, user):
        assert decode_line(encode(event)) == event


def test_people_are_in_personal_fields_and_nowhere_else() -> None:
    _, ranking, click, user = convert(ITEM, RANKING, CLICK, USER)
    for event in (ranking, click):
        assert isinstance(event, Slate | Interaction)
        assert (event.builder_id, event.session_id) == ("anna", "anna-1")
        event.builder_id = event.session_id = None
    assert isinstance(user, Item)
    assert (user.kind, user.person_id, user.attributes) == ("user", "anna", {"age": 33})
    user.person_id = None
    for event in (ranking, click, user):
        assert not isinstance(event, BadLine)
        assert b"anna" not in encode(event)


def test_the_id_of_an_event_does_not_depend_on_who_it_was() -> None:
    first, second = convert(CLICK)[0], convert({**CLICK, "user": "bob", "session": "x"})[0]
    assert not isinstance(first, BadLine)
    assert not isinstance(second, BadLine)
    assert first.event_id == second.event_id


def test_equal_lines_are_one_event_and_lines_of_one_id_are_not() -> None:
    other = {**RANKING, "items": [{"id": "socks"}]}
    someone_else = {**RANKING, "user": "bob"}
    found = convert(RANKING, other, RANKING, someone_else, CLICK)
    ids = [event.event_id for event in found if not isinstance(event, BadLine)]
    assert ids[0] == ids[2]
    assert len(set(ids)) == 4
    slates = [event.slate_id for event in found if isinstance(event, Slate)]
    assert slates == ["r1", "r1~2", "r1", "r1~3"]
    click = found[-1]
    assert isinstance(click, Interaction)
    assert click.slate_id == "r1~3", "the last ranking of that id"


def test_an_interaction_may_have_no_ranking_and_may_speak_against_an_item() -> None:
    like, hide = convert(
        {name: value for name, value in CLICK.items() if name != "ranking"} | {"type": "like"},
        {**CLICK, "type": "hide"},
    )
    assert isinstance(like, Interaction)
    assert (like.slate_id, like.action) == (NO_RANKING, "chosen")
    assert isinstance(hide, Interaction)
    assert hide.action == "dismissed"


@pytest.mark.parametrize(
    "timestamp",
    [1655896899000, "1655896899000", 1655896899, "1655896899", 1655896899000.0, "2022-06-22T11:21:39Z"],
)
def test_times_are_milliseconds_seconds_or_dates(timestamp: object) -> None:
    (event,) = convert({**CLICK, "timestamp": timestamp})
    assert isinstance(event, Interaction)
    assert event.occurred_at == AT


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"event": "visit"}, "event"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": "2022-06-22T11:21:39"}, "timestamp"),
        ({"timestamp": True}, "timestamp"),
        ({"timestamp": 1e30}, "timestamp"),
        ({"timestamp": None}, "timestamp"),
        ({"id": ""}, "id"),
        ({"items": []}, "items"),
        ({"items": [{"id": "boots"}, 7]}, "items[1]"),
        ({"items": [{"id": "b" * 201}]}, "items[0].id"),
        ({"fields": {"a": 1}}, "fields"),
        ({"fields": [{"value": 1}]}, "fields[0]"),
        ({"user": 1.5}, "user"),
        ({"tenant": ""}, "tenant"),
    ],
)
def test_what_fits_nothing_is_a_bad_line_with_its_field(change: dict[str, Any], field: str) -> None:
    (bad,) = convert({**RANKING, **change})
    assert isinstance(bad, BadLine)
    assert (bad.code, bad.field, bad.line) == ("bad_row", field, 1)
    assert json.loads(bad.raw) == {**RANKING, **change}


def test_tenant_and_recommender_are_the_events_own_or_those_that_are_given() -> None:
    mine, given = convert({**ITEM, "tenant": "shop"}, ITEM, recommender="boots", tenant="fern")
    assert not isinstance(mine, BadLine)
    assert not isinstance(given, BadLine)
    assert (mine.tenant, mine.recommender, given.tenant) == ("shop", "boots", "fern")


def test_scores_come_from_relevancy_score_or_a_field_and_other_fields_are_kept() -> None:
    items = [
        {"id": "a", "score": 0.5},
        {"id": "b", "fields": [{"name": "relevancy", "value": 1}, {"name": "bm25", "value": 2.0}]},
    ]
    (slate,) = convert({**RANKING, "items": items})
    assert isinstance(slate, Slate)
    assert [each.score for each in slate.items] == [0.5, 1.0]
    assert slate.extra == {"items[1].fields.bm25": 2.0}


def test_a_single_slot_keeps_its_position_and_propensity() -> None:
    fields = [{"name": "position", "value": 3}, {"name": "propensity", "value": 0.0125}]
    (slate,) = convert({**RANKING, "items": [{"id": "a"}], "fields": fields})
    assert isinstance(slate, Slate)
    assert (slate.items[0].position, slate.items[0].propensity) == (3, 0.0125)


def test_an_event_inside_a_wrapper_is_taken_out_and_the_rest_kept() -> None:
    (item,) = convert({"source": "a.md", "event": {**ITEM, "fields": [{"name": "x", "value": None}]}})
    assert isinstance(item, Item)
    assert item.extra == {"source": "a.md", "id": "m1", "fields[0].x": None}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([ITEM, RANKING, CLICK, USER]), st.data())
def test_any_value_of_any_field_is_an_event_or_a_bad_line(
    document: dict[str, Any], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted({*document, "fields", "tenant", "items"})))
    (found,) = convert({**document, name: data.draw(_VALUES)})
    if not isinstance(found, BadLine):
        encode(found)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_an_event_or_a_bad_line(line: bytes) -> None:
    (found,) = convert_metarank([(1, line)])
    assert isinstance(found, BadLine)
    assert found.reason
