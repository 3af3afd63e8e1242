"""Reads and writes one event a line, and says precisely what is wrong with a line that is no event.

Nearly every line is of the current version and holds known fields only: it is decoded once, strictly. The
others are decoded again as plain JSON, brought to the current version, and their unknown fields kept aside.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from letterpress.errors import LetterpressError
from letterpress.events.packed_features import find_torn
from letterpress.events.plain_types import PATTERNS, PlainEvent
from letterpress.events.types import EVENT_NAMES, NAME_RULE, SCHEMA_VERSION, AnyEvent, Slate
from letterpress.events.unknown_fields import DEEPEST, is_too_deep, set_unknown_aside
from letterpress.events.upcast import upcast

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
LATEST = datetime(2080, 1, 1, tzinfo=UTC)
MAX_LINE_BYTES = 4 * 1024 * 1024
BAD_LINE_TAG = "bad_line"

REASONS: dict[str, str] = {
    "not_utf8": "the line is not UTF-8",
    "nul_byte": "the line holds a NUL byte",
    "not_json": "the line is not one JSON document",
    "not_an_object": "the line is JSON but no object",
    "too_deep": "the line is nested too deeply",
    "too_large": f"the line is longer than {MAX_LINE_BYTES} bytes",
    "unknown_type": f"`type` is none of {', '.join(EVENT_NAMES)}",
    "missing_field": "a required field is missing",
    "wrong_type": "a field has another type than the schema says",
    "out_of_range": "a number or time lies outside the allowed range",
    "too_long": "a text or list is longer than allowed",
    "too_short": "a text or list is shorter than allowed",
    "not_allowed": "a value is none of the allowed ones",
    "bad_time": "a time is not RFC 3339",
    "no_time_zone": "a time has no offset",
    "control_character": "a text holds a control character",
    "truncated_file": "the file ends before its compressed stream does",
    "corrupt_file": "the compressed stream is damaged from here on",
    "damaged_copy": "a copy in landing was damaged and lies beside this; import its log again",
    "bad_row": "a row of a foreign log is not as its format says",
}
"""Every reason code that a quarantined line can carry, with its meaning."""


class MalformedEventError(LetterpressError):
    """A line that is no event: `code` is one of `REASONS`, `field` a path such as `items[0].position`.

    The reason never quotes a value of the line: values may be personal. `raw` is set when what must be
    kept is not the line itself but the foreign row inside it, and `tenant` when its importer knows whose
    row that is.
    """

    exit_code = 2
    http_status = 422
    title = "Malformed event"

    def __init__(
        self, code: str, field: str | None, reason: str, raw: bytes | None = None, tenant: str | None = None
    ) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.code = code
        self.field = field
        self.reason = reason
        self.raw = raw
        self.tenant = tenant


@dataclass(frozen=True, slots=True)
class BadLine:
    """A row of a foreign log that is no event. Landed among the events, quarantined by ingest."""

    raw: str
    line: int
    code: str
    field: str | None
    reason: str


_decode: Callable[[bytes], AnyEvent] = msgspec.json.Decoder(AnyEvent).decode
_decode_lines: Callable[[bytes], list[AnyEvent]] = msgspec.json.Decoder(PlainEvent).decode_lines
_decode_any: Callable[[bytes], Any] = msgspec.json.Decoder(Any).decode
encoder = msgspec.json.Encoder()

_UNKNOWN_FIELD = "Object contains unknown field"

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MESSAGES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"missing required field `(?P<field>[^`]+)`"), "missing_field"),
    (re.compile(r"with a timezone component"), "no_time_zone"),
    (re.compile(r"Invalid RFC3339"), "bad_time"),
    (re.compile(r"of length <="), "too_long"),
    (re.compile(r"of length >="), "too_short"),
    (re.compile(r"matching regex|Invalid enum value"), "not_allowed"),
    (re.compile(r"`(int|float)` [<>]|out of range"), "out_of_range"),
    (re.compile(r"Expected"), "wrong_type"),
)
_NO_NUMBER = re.compile(rb"[:\[,]\s{0,9}[-+]?(nan|inf(?:inity)?)\b", re.IGNORECASE)
_PLACE = re.compile(r"\(byte (\d+)\)")
_PATH = re.compile(r" - at `\$\.?(?P<path>.*)`$")


def encode(event: AnyEvent) -> bytes:
    """The event as one line of JSON, without a line end."""
    return encoder.encode(event)


def encode_bad_line(bad: BadLine, tenant: str | None = None) -> bytes:
    """A line that ingest quarantines with the reason that the importer found, as one of `tenant`."""
    return encoder.encode({"type": BAD_LINE_TAG, **msgspec.to_builtins(bad), "tenant": tenant})


def decode_line(line: bytes) -> AnyEvent:
    """The event that `line` holds, as of the current version.

    Raises:
        MalformedEventError: the line is no event; says which field and why.
    """
    event = read_line(line)
    if isinstance(event, MalformedEventError):
        raise event
    return event


def read_line(line: bytes) -> AnyEvent | MalformedEventError:
    """What `decode_line` returns or raises, returned: for loops over many lines."""
    if len(line) > MAX_LINE_BYTES:
        return MalformedEventError("too_large", None, f"{REASONS['too_large']}: it has {len(line)}")
    try:
        event = _decode(line)
        if event.version != SCHEMA_VERSION:
            event = _decode_leniently(line)
    except MalformedEventError as problem:
        return problem
    except (ValueError, RecursionError) as error:
        if not str(error).startswith(_UNKNOWN_FIELD):
            return explain(line, error)
        try:
            event = _decode_leniently(line)
        except MalformedEventError as problem:
            return problem
        except (ValueError, RecursionError) as wrong:
            return explain(line, wrong)
    return find_problem(event, has_escapes=b"\\" in line) or event


def read_lines(lines: list[bytes]) -> dict[str, list[AnyEvent]] | None:
    """The events of `lines` by type when each is a plain one; None when `read_line` has to say what they are.

    Behind `}` no JSON document goes on with a line end and `{`. So where all lines begin and end like that,
    each holds one document or more, and exactly one when as many were decoded.
    """
    whole = b"\n".join(lines)
    is_one_a_line = whole.startswith(b"{") and whole.endswith(b"}") and whole.count(b"}\n{") == len(lines) - 1
    if not is_one_a_line or b"\\" in whole or b'"version"' in whole:
        return None
    try:
        events = _decode_lines(whole)
    except (ValueError, RecursionError):
        return None
    moments = [event.occurred_at for event in events]
    moments += [event.received_at for event in events if event.received_at is not None]
    if len(events) != len(lines) or not EARLIEST <= min(moments) <= max(moments) < LATEST:
        return None
    found = {
        _tag(kind): [event for event in events if type(event) is kind] for kind in set(map(type, events))
    }
    slates: list[Any] = found.get("slate", [])
    if any(find_torn(slate.items) is not None for slate in slates):
        return None
    return found if all(_fit_patterns(name, some) for name, some in found.items()) else None


def _tag(kind: type[AnyEvent]) -> str:
    return str(kind.__struct_config__.tag)


def _fit_patterns(name: str, events: list[AnyEvent]) -> bool:
    return all(
        value is None or pattern.search(value)
        for field, pattern in PATTERNS[name].items()
        for value in {getattr(event, field) for event in events}
    )


def _decode_leniently(line: bytes) -> AnyEvent:
    """The event of a line of an older version or with unknown fields.

    Whole numbers of more than 64 bits in unknown fields become the nearest float.

    Raises:
        MalformedEventError: an unknown field is nested too deeply.
        ValueError, RecursionError: the line is no event.
    """
    document = _decode_any(line)
    if isinstance(document, dict):
        upcast(document)
        set_unknown_aside(document)
        if is_too_deep(document.get("extra"), DEEPEST + 1):
            raise MalformedEventError("too_deep", "extra", f"expected at most {DEEPEST} levels")
    return _decode(encoder.encode(document))


def find_problem(event: AnyEvent, *, has_escapes: bool) -> MalformedEventError | None:
    """What the schema cannot say about a decoded event; None when all is well.

    A control character can only come from an escape, so texts are searched only when the line has one.
    """
    if not EARLIEST <= event.occurred_at < LATEST:
        return _time_problem("occurred_at")
    if event.received_at is not None and not EARLIEST <= event.received_at < LATEST:
        return _time_problem("received_at")
    if isinstance(event, Slate) and (place := find_torn(event.items)) is not None:
        reason = "expected float32 numbers in base64, found bytes that are no multiple of 4"
        return MalformedEventError("wrong_type", f"items[{place}].packed_features", reason)
    if has_escapes and (path := _find_control_character(msgspec.to_builtins(event))) is not None:
        return MalformedEventError("control_character", path, REASONS["control_character"])
    return None


def _time_problem(field: str) -> MalformedEventError:
    reason = f"expected a time from {EARLIEST:%Y} to before {LATEST:%Y}"
    return MalformedEventError("out_of_range", field, reason)


def _find_control_character(value: object, path: str = "") -> str | None:
    if isinstance(value, str):
        return path if _CONTROL.search(value) else None
    children: list[tuple[str, object]] = []
    if isinstance(value, dict):
        for key, child in value.items():
            if _CONTROL.search(key):
                return path
            children.append((f"{path}.{key}" if path else key, child))
    elif isinstance(value, list):
        children = [(f"{path}[{index}]", child) for index, child in enumerate(value)]
    return next((found for name, child in children if (found := _find_control_character(child, name))), None)


def explain(line: bytes, error: ValueError | RecursionError) -> MalformedEventError:
    """Why decoding `line` failed with `error`, as a reason code, a field and a sentence without values."""
    if isinstance(error, RecursionError):
        return MalformedEventError("too_deep", None, REASONS["too_deep"])
    if b"\0" in line:
        return MalformedEventError("nul_byte", None, f"NUL byte at byte {line.index(0)}")
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as wrong:
        return MalformedEventError("not_utf8", None, f"invalid UTF-8 at byte {wrong.start}")
    if isinstance(error, msgspec.ValidationError):
        return _explain_validation(line, str(error))
    return MalformedEventError("not_json", None, _explain_syntax(line, str(error)))


def _explain_syntax(line: bytes, message: str) -> str:
    """The parser's words, unless what it stumbled over is a number that JSON cannot say."""
    place = _PLACE.search(message)
    at = int(place[1]) if place else 0
    if place and any(each.start() < at <= each.end() + 4 for each in _NO_NUMBER.finditer(line)):
        return f"NaN and Infinity are no JSON numbers (byte {at}); leave out a field without a value"
    return message


def _explain_validation(line: bytes, message: str) -> MalformedEventError:
    where = _PATH.search(message)
    path = where["path"] if where else ""
    text = _PATH.sub("", message)
    if path == "type":
        return _explain_type(line)
    if not path and text.startswith("Expected `object`"):
        return MalformedEventError("not_an_object", None, text)
    for pattern, code in _MESSAGES:
        if found := pattern.search(text):
            named = found.groupdict().get("field")
            field = ".".join(part for part in (path, named) if part) or None
            return MalformedEventError(code, field, say_plainly(text))
    return MalformedEventError("wrong_type", path or None, text.split("'", maxsplit=1)[0].strip())


def say_plainly(message: str) -> str:
    """What a check of one value says when it fails, for people."""
    if "matching regex" in message:
        return f"expected {NAME_RULE}"
    return "not one of the allowed values" if "enum" in message else message


def _explain_type(line: bytes) -> MalformedEventError:
    """A `bad_line` carries the reason that its importer found; any other unknown type is just that."""
    try:
        bad = msgspec.json.decode(line, type=_BadLineOnDisk)
    except (ValueError, RecursionError):
        return MalformedEventError("unknown_type", "type", f"expected one of {', '.join(EVENT_NAMES)}")
    reason = f"row {bad.line}: {bad.reason}"
    return MalformedEventError(bad.code, bad.field, reason, bad.raw.encode(), bad.tenant)


class _BadLineOnDisk(msgspec.Struct, tag_field="type", tag=BAD_LINE_TAG):
    raw: str
    line: int
    code: str
    reason: str
    field: str | None = None
    tenant: str | None = None
