"""Many lines read at once say what each says alone, or that each has to be asked."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from letterpress.events.codec import encode, read_line, read_lines
from letterpress.events.examples import example_events
from letterpress.events.plain_types import PATTERNS
from letterpress.events.types import EVENT_NAMES

OUTCOME = (
    b'{"type":"outcome","event_id":"e","tenant":"t","recommender":"r","occurred_at":"2026-01-05T03:00:00Z",'
)
REST = b'"slate_id":"s","item_id":"i","kind":"clicked"}'
LINE = OUTCOME + REST
SLATE = encode(example_events()["slate"])


@pytest.fixture
def good(golden: Path) -> list[bytes]:
    lines = [encode(event) for event in example_events().values()]
    return [*(golden / "native_log.jsonl").read_bytes().splitlines(), *lines]


def read_alone(lines: list[bytes]) -> dict[str, list[object]] | None:
    """By type, the events of all lines as plain values; None when one is none."""
    found: dict[str, list[object]] = {}
    for line in lines:
        event = read_line(line)
        if not isinstance(event, msgspec.Struct):
            return None
        found.setdefault(str(event.__struct_config__.tag), []).append(msgspec.to_builtins(event))
    return found


def read_together(lines: list[bytes]) -> dict[str, list[object]] | None:
    found = read_lines(lines)
    return (
        None
        if found is None
        else {name: list(map(msgspec.to_builtins, some)) for name, some in found.items()}
    )


def test_plain_lines_are_read_together(good: list[bytes]) -> None:
    plain = [line for line in good if b"\\" not in line and b'"version"' not in line]
    plain = [line for line in plain if read_alone([line])]
    together = read_together(plain)
    assert together is not None
    assert set(together) == set(EVENT_NAMES)
    assert together == read_alone(plain)


def test_with_damage_among_them_they_are_not_or_say_the_same(good: list[bytes]) -> None:
    rng = random.Random(3)
    agreed = refused = 0
    for _ in range(3000):
        lines = rng.sample(good, 3)
        line = bytearray(rng.choice(lines))
        for _ in range(rng.randint(1, 3)):
            line[rng.randrange(len(line))] = rng.choice(b'{}[],:"0aZ \r\t\x00\xff')
        lines[rng.randrange(3)] = bytes(line)
        together = read_together(lines)
        if together is None:
            refused += 1
        else:
            assert together == read_alone(lines)
            agreed += 1
    assert min(agreed, refused) > 200


@pytest.mark.parametrize(
    "lines",
    [
        [LINE + LINE, b""],
        [LINE + b"," + LINE, b"{}"],
        [OUTCOME + b'"extra":{"a":{}', b"}," + REST],
        [OUTCOME + b'"extra":{"a":{}', b"}," + REST + LINE],
        [LINE + LINE, OUTCOME + b'"extra":{"a":{}', b"}," + REST],
        [LINE + LINE, OUTCOME + b'"extra":{"a":[{}', b"{}]}," + REST],
        [LINE + b" ", LINE],
        [LINE + b"\r", LINE],
        [LINE, b"[" + LINE + b"]"],
        [LINE.replace(b'"r"', b'"R"'), LINE],
        [LINE.replace(b"2026", b"1999"), LINE],
        [LINE.replace(b"2026", b"2080"), LINE],
        [OUTCOME + b'"received_at":"1999-01-01T00:00:00Z",' + REST, LINE],
        [OUTCOME + b'"version":1,' + REST, LINE],
        [LINE.replace(b'"t"', b'"\\n"'), LINE],
        [LINE.replace(b'"t"', b'"\xff"'), LINE],
        [OUTCOME + b'"colour":"red",' + REST, LINE],
        [SLATE.replace(b'"position"', b'"packed_features":"AAAAAAA=","position"'), LINE],
    ],
)
def test_what_is_not_one_plain_event_a_line_is_left_to_be_read_alone(lines: list[bytes]) -> None:
    assert read_lines(lines) is None
    assert read_lines([*lines, LINE]) is None


def test_every_pattern_of_an_event_type_is_matched() -> None:
    assert {name: sorted(fields) for name, fields in PATTERNS.items()} == {
        "item": ["kind", "recommender"],
        "campaign": ["recommender"],
        "slate": ["policy", "recommender"],
        "interaction": ["recommender"],
        "outcome": ["recommender"],
    }
