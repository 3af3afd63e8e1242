"""Thousands of mutated lines: every one is an event or has a reason, and never a value in it."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from letterpress.events.codec import (
    MAX_LINE_BYTES,
    REASONS,
    MalformedEventError,
    decode_line,
    encode,
    read_line,
)
from letterpress.events.examples import example_events

LINES = 6000
PERSONAL = "anna@example.org"
TIMES = (
    "2099-01-01T00:00:00Z",
    "1970-01-01T00:00:00Z",
    "2026-01-05T03:04:05",
    "2026-01-05T03:04:05+14:00",
    "2026-13-45T99:99:99Z",
)
NUMBERS = (-1, 0, 1.5, 2**63, 2**64, 10**40, 1e308)
TEXTS = (
    "",
    "7",
    "NaN",
    PERSONAL,
    "a" * 10_000,
    "\x00",
    "\u202e",
    "../../etc/passwd",
    "c:\\x",
    "'; drop --",
    '"',
)
VALUES: tuple[Any, ...] = (*TIMES, *NUMBERS, *TEXTS, None, True, [], {}, [[[[]]]], [None], {"": {}})
PIECES = (
    *(b"\xff", b"\x00", b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\ud800"),
    *(b"NaN", b"Infinity", b"1e999"),
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Of a decoded JSON value and everything in it."""
    if isinstance(value, dict):
        children = list(value.items())
    else:
        children = list(enumerate(value)) if isinstance(value, list) else []
    return [path, *(found for key, child in children for found in _paths(child, (*path, key)))]


def _change_a_value(line: bytes, rng: random.Random) -> bytes:
    """A field set to something else, taken away, renamed or doubled."""
    document = json.loads(line)
    *above, last = rng.choice([path for path in _paths(document) if path])
    part = document
    for key in above:
        part = part[key]
    kind = rng.randrange(4)
    if kind == 0 or isinstance(part, list):
        part[last] = rng.choice(VALUES)
    elif kind == 1:
        del part[last]
    elif kind == 2:
        part[f"{last}{rng.choice(VALUES)}"] = part.pop(last)
    else:
        part[rng.choice(("x", "extra", "version", "type", "experiment", "count"))] = rng.choice(VALUES)
    return json.dumps(document, ensure_ascii=rng.random() < 0.5).encode()


def _change_bytes(line: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.randint(1, 4)):
        at, cut = rng.randrange(len(line) + 1), rng.choice((0, 0, 1, 5, 40))
        line = line[:at] + rng.choice((b"", *PIECES, rng.randbytes(2))) + line[at + cut :]
    return line


@pytest.fixture
def good(golden: Path) -> list[bytes]:
    logs = (golden / "native_log.jsonl", golden / "v1_log.jsonl")
    lines = [line for log in logs for line in log.read_bytes().splitlines()]
    return [*lines[:: len(lines) // 40], *map(encode, example_events().values())]


def _mutate(lines: list[bytes], rng: random.Random) -> bytes:
    change = rng.choice((_change_a_value, _change_a_value, _change_bytes))
    return change(rng.choice(lines), rng)


def _check(line: bytes) -> str:
    """The code of the reason why `line` is no event, or `event`; fails when it is neither."""
    found = read_line(line)
    if isinstance(found, MalformedEventError):
        assert found.code in REASONS
        assert found.reason
        assert PERSONAL not in found.reason
        return found.code
    assert decode_line(encode(found)) == found
    msgspec.json.encode(found.extra, order="sorted")
    return "event"


def test_thousands_of_mutated_lines_are_events_or_have_reasons_of_every_kind(good: list[bytes]) -> None:
    rng = random.Random(20)
    found = Counter(_check(_mutate(good, rng)) for _ in range(LINES))
    assert 0.15 * LINES < found["event"] < 0.85 * LINES
    assert set(found) >= {"not_json", "not_utf8", "nul_byte", "missing_field", "wrong_type", "out_of_range"}
    assert set(found) >= {"too_long", "too_short", "not_allowed", "bad_time", "no_time_zone"}
    assert set(found) >= {"control_character", "unknown_type"}


@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
@given(seed=st.integers(0, 2**32 - 1))
def test_any_mutated_line_is_an_event_or_has_a_reason(good: list[bytes], seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(20):
        _check(_mutate(good, rng))


def test_a_line_of_100_megabytes_is_too_large_without_being_decoded() -> None:
    line = b'{"type":"outcome","x":"' + b"a" * (100 * 1024 * 1024) + b'"}'
    found = read_line(line)
    assert isinstance(found, MalformedEventError)
    assert found.code == "too_large"
    assert len(line) > MAX_LINE_BYTES


@pytest.mark.parametrize("depth", [30, 33, 200, 900, 1100, 100_000])
@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nesting_is_kept_or_refused_but_never_breaks_the_reader(depth: int, opening: str) -> None:
    closing = "]" if opening == "[" else "}"
    nested = opening * depth + "1" + closing * depth
    found = read_line(encode(example_events()["outcome"])[:-1] + f',"x":{nested}}}'.encode())
    assert isinstance(found, MalformedEventError) == (depth > 32)
    if isinstance(found, MalformedEventError):
        assert found.code == "too_deep"
