"""What the codec accepts, and what it says of what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from letterpress.events.codec import (
    MAX_LINE_BYTES,
    REASONS,
    BadLine,
    MalformedEventError,
    decode_line,
    encode,
    encode_bad_line,
)
from letterpress.events.types import Outcome

GOOD = (
    b'{"type":"outcome","event_id":"e1","tenant":"fern","recommender":"image_enhancement",'
    b'"occurred_at":"2026-01-05T03:04:05.123+02:00","slate_id":"s1","item_id":"i1","kind":"clicked","count":12}'
)
SLATE = (
    b'{"type":"slate","event_id":"e1","tenant":"fern","recommender":"image_enhancement",'
    b'"occurred_at":"2026-01-05T03:04:05Z","slate_id":"s1","campaign":{"campaign_id":"c1"},"slot":"hero",'
    b'"policy":"uniform","items":[{"item_id":"i1","position":1,"propensity":0.5}]}'
)


def test_a_good_line_becomes_a_typed_event_in_utc() -> None:
    event = decode_line(GOOD)
    assert isinstance(event, Outcome)
    assert event.count == 12
    assert event.occurred_at == datetime(2026, 1, 5, 1, 4, 5, 123000, tzinfo=UTC)


def test_what_is_encoded_is_decoded_to_the_same_event() -> None:
    for line in (GOOD, SLATE):
        event = decode_line(line)
        assert decode_line(encode(event)) == event


@pytest.mark.parametrize(
    ("line", "code", "field"),
    [
        (b"", "not_json", None),
        (b"hello", "not_json", None),
        (GOOD[:40], "not_json", None),
        (GOOD + b" x", "not_json", None),
        (b"NaN", "not_json", None),
        (b"[]", "not_an_object", None),
        (b'"text"', "not_an_object", None),
        (b"{}", "missing_field", "type"),
        (b'{"type":"visit"}', "unknown_type", "type"),
        (b'{"type":7}', "unknown_type", "type"),
        (GOOD.replace(b'"item_id":"i1",', b""), "missing_field", "item_id"),
        (GOOD.replace(b'"e1"', b"7"), "wrong_type", "event_id"),
        (GOOD.replace(b'"e1"', b'""'), "too_short", "event_id"),
        (GOOD.replace(b"e1", b"e" * 10_000), "too_long", "event_id"),
        (GOOD.replace(b"e1", b"\xff\xfe"), "not_utf8", None),
        (GOOD.replace(b"e1", b"a\x00b"), "nul_byte", None),
        (GOOD.replace(b"e1", rb"a\u0000b"), "control_character", "event_id"),
        (GOOD.replace(b"e1", rb"a\u001fb"), "control_character", "event_id"),
        (GOOD.replace(b":12", b':"12"'), "wrong_type", "count"),
        (GOOD.replace(b":12", b":-1"), "out_of_range", "count"),
        (GOOD.replace(b":12", b":1e999"), "out_of_range", "count"),
        (GOOD.replace(b":12", b":1.5"), "wrong_type", "count"),
        (GOOD.replace(b":12", b":" + b"9" * 60), "out_of_range", "count"),
        (GOOD.replace(b"clicked", b"liked"), "not_allowed", "kind"),
        (GOOD.replace(b"image_enhancement", b"../etc"), "not_allowed", "recommender"),
        (GOOD.replace(b"+02:00", b""), "no_time_zone", "occurred_at"),
        (GOOD.replace(b"2026-01-05", b"yesterday "), "bad_time", "occurred_at"),
        (GOOD.replace(b"2026-01-05", b"1970-01-01"), "out_of_range", "occurred_at"),
        (GOOD.replace(b"2026-01-05", b"2099-01-01"), "out_of_range", "occurred_at"),
        (GOOD.replace(b'"slate_id"', b'"version":3,"slate_id"'), "out_of_range", "version"),
        (SLATE.replace(b'"position":1', b'"position":0'), "out_of_range", "items[0].position"),
        (SLATE.replace(b"0.5", b"1.5"), "out_of_range", "items[0].propensity"),
        (SLATE.replace(b'"item_id":"i1",', b""), "missing_field", "items[0].item_id"),
        (
            SLATE.replace(b'"i1",', b'"i1","packed_features":"AAAAAAA=",'),
            "wrong_type",
            "items[0].packed_features",
        ),
        (
            SLATE.replace(b'"i1",', b'"i1","packed_features":"AA!=",'),
            "wrong_type",
            "items[0].packed_features",
        ),
        (SLATE.replace(b'"c1"', b'"c1","labels":{"a":1}'), "wrong_type", "campaign.labels[...]"),
        (SLATE.replace(b'"c1"', rb'"c1","labels":{"a":"\n"}'), "control_character", "campaign.labels.a"),
        (GOOD[:-1] + b',"x":' + b"[" * 100_000, "too_deep", None),
        (GOOD[:-1] + b',"x":' + b"[" * 40 + b"]" * 40 + b"}", "too_deep", "extra"),
        (GOOD[:-1] + b',"x":NaN}', "not_json", None),
        (GOOD[:-1] + b',"x":-Infinity}', "not_json", None),
        (GOOD.replace(b":12", b':"12","x":1'), "wrong_type", "count"),
        (GOOD.replace(b'"count"', b'"version":9,"x":1,"count"'), "out_of_range", "version"),
        (GOOD[:-1] + rb',"x":{"y":"\u0007"}}', "control_character", "extra.x.y"),
        (b" " * (MAX_LINE_BYTES + 1), "too_large", None),
    ],
)
def test_a_bad_line_is_refused_with_its_reason_and_field(line: bytes, code: str, field: str | None) -> None:
    with pytest.raises(MalformedEventError) as refused:
        decode_line(line)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert code in REASONS


def test_the_reason_never_quotes_the_value() -> None:
    for line in (
        GOOD.replace(b"clicked", b"anna@example.org"),
        GOOD.replace(b"outcome", b"anna@example.org"),
    ):
        with pytest.raises(MalformedEventError) as refused:
            decode_line(line)
        assert "anna" not in str(refused.value)


@pytest.mark.parametrize("number", [b"NaN", b"-Infinity", b"Infinity", b"nan", b"-inf"])
def test_a_number_that_json_cannot_say_is_named_as_such(number: bytes) -> None:
    with pytest.raises(MalformedEventError, match="NaN and Infinity are no JSON numbers") as refused:
        decode_line(SLATE.replace(b'"position":1', b'"position":1,"score":' + number))
    assert refused.value.code == "not_json"
    with pytest.raises(MalformedEventError, match="malformed"):
        decode_line(GOOD.replace(b'"e1"', b'": ' + number + b' anna" "'))


def test_a_name_that_is_none_is_told_the_rule_in_words() -> None:
    with pytest.raises(MalformedEventError, match="expected 1 to 64 lower-case letters") as refused:
        decode_line(SLATE.replace(b"image_enhancement", b"Image Enhancement"))
    assert (refused.value.code, refused.value.field) == ("not_allowed", "recommender")


def test_ids_may_hold_quotes_and_path_separators() -> None:
    event = decode_line(GOOD.replace(b"e1", rb"../\"it's\"/\u00e9"))
    assert event.event_id == '../"it\'s"/é'


def test_a_bad_row_of_a_foreign_log_keeps_its_row_and_its_reason() -> None:
    with pytest.raises(MalformedEventError) as refused:
        decode_line(encode_bad_line(BadLine("a,b,c", 17, "bad_row", "click", "expected 0 or 1")))
    assert (refused.value.code, refused.value.field) == ("bad_row", "click")
    assert refused.value.raw == b"a,b,c"
    assert "17" in refused.value.reason


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_an_event_or_a_reason(line: bytes) -> None:
    _decode_or_explain(line)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([GOOD, SLATE]), st.integers(0, 400), st.binary(max_size=6), st.integers(0, 6))
def test_any_damage_of_a_good_line_is_an_event_or_a_reason(
    line: bytes, at: int, piece: bytes, cut: int
) -> None:
    _decode_or_explain(line[:at] + piece + line[at + cut :])


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
_JSON = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["event_id", "occurred_at", "count", "kind", "campaign", "items", "version"]), _JSON)
def test_any_value_of_a_field_is_an_event_or_a_reason(field: str, value: object) -> None:
    for line in (GOOD, SLATE):
        changed = {**msgspec.json.decode(line), field: value}
        _decode_or_explain(msgspec.json.encode(changed))


def _decode_or_explain(line: bytes) -> None:
    try:
        event = decode_line(line)
    except MalformedEventError as error:
        refused = error
    else:
        assert decode_line(encode(event)) == event
        return
    assert refused.code in REASONS
    assert refused.reason
