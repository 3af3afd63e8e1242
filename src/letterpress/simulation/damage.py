"""Damaged copies of good lines, each with the reason code that quarantine must give it."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

_EVENT_ID = re.compile(rb'"event_id":"[^"]*"')
_OCCURRED_AT = re.compile(rb'"occurred_at":"([^"]*)Z"')

Damage = Callable[[bytes], bytes]


def _event_id(replacement: bytes) -> Damage:
    return lambda line: _EVENT_ID.sub(b'"event_id":' + replacement.replace(b"\\", rb"\\"), line, count=1)


def _occurred_at(replacement: bytes) -> Damage:
    return lambda line: _OCCURRED_AT.sub(b'"occurred_at":' + replacement, line, count=1)


DAMAGES: tuple[tuple[str, str, Damage], ...] = (
    ("cut in half", "not_json", lambda line: line[: len(line) // 2]),
    ("invalid UTF-8", "not_utf8", _event_id(b'"\xff\xfe"')),
    ("NUL byte", "nul_byte", _event_id(b'"a\x00b"')),
    ("plain text", "not_json", lambda _: b"Exception in thread main"),
    ("a list", "not_an_object", lambda line: b"[" + line + b"]"),
    ("unknown type", "unknown_type", lambda line: line.replace(b'"type":"', b'"type":"x', 1)),
    ("no event id", "missing_field", lambda line: _EVENT_ID.sub(b'"other":1', line, count=1)),
    ("a number for an id", "wrong_type", _event_id(b"12")),
    ("empty id", "too_short", _event_id(b'""')),
    ("huge id", "too_long", _event_id(b'"' + b"x" * 10_000 + b'"')),
    ("control character in id", "control_character", _event_id(rb'"a\u0000b"')),
    ("time without offset", "no_time_zone", _occurred_at(rb'"\1"')),
    ("year 1970", "out_of_range", _occurred_at(b'"1970-01-01T00:00:00Z"')),
    ("no time", "bad_time", _occurred_at(b'"yesterday"')),
    ("not a number", "not_json", _event_id(b"NaN")),
    ("deeply nested", "too_deep", lambda line: line[:-1] + b',"x":' + b"[" * 20_000),
    ("wrong name", "not_allowed", lambda line: line.replace(b'"recommender":"', b'"recommender":"A ', 1)),
)
"""(what it is, reason code, how). Every one is a line that must end in quarantine."""


def damage_lines(
    lines: list[bytes], share: float, rng: np.random.Generator
) -> tuple[list[bytes], list[int], list[str]]:
    """Damaged copies of about `share` of `lines`; their places in `lines`, ascending; their reason codes."""
    places = np.flatnonzero(rng.random(len(lines)) < share).tolist()
    first = int(rng.integers(len(DAMAGES)))
    kinds = [DAMAGES[(first + number) % len(DAMAGES)] for number in range(len(places))]
    damaged = [damage(lines[place]) for place, (_, _, damage) in zip(places, kinds, strict=True)]
    return damaged, places, [code for _, code, _ in kinds]
