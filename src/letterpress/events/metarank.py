"""Metarank's event format as native events: one line, one event.

A `ranking` is a slate, an `item` an item, an `interaction` an interaction. The visitor who sees a ranking is
who picks from it, so user and session go where ours has the builder's: into fields declared personal. An
interaction is no outcome: outcomes are counted against deliveries, of which the format knows none. Its type
(`click`, `purchase`) is in `extra`.

A `user` event is an item of kind `user`. Its `item_id` says nothing of the user: an id is not hashed before
it is stored, so the user's goes into `person_id`, which is.

Metarank's ids need not be unique, so an event is known by what it says: a digest of all but the personal
fields, since from a plain digest of those they could be guessed. What has no field of ours is in `extra`;
only the session of an `item` or `user`, which the format does not have, is left out: nothing would hash it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeGuard

import msgspec

from letterpress.events.codec import BadLine, MalformedEventError, explain
from letterpress.events.types import (
    Action,
    AnyEvent,
    CampaignContext,
    Interaction,
    Item,
    ShownItem,
    Slate,
)
from letterpress.events.unknown_fields import DEEPEST, is_too_deep

RECOMMENDER = "metarank"
TENANT = "metarank"
POLICY = "logged"
SLOT = "ranking"
NO_RANKING = "no-ranking"
"""Slate of interactions that belong to no ranking, e.g. a like on a page of its own."""
DISMISSALS = frozenset({"dislike", "dismiss", "dismissed", "hide", "hidden", "remove", "reject", "skip"})
"""Types of interaction that speak against an item; all others are for it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MILLISECONDS = 1e11
"""Smaller numbers are seconds: as milliseconds they would lie before 1973."""
_PERSONAL = ("user", "session")
_LONGEST = 200
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class _FieldError(ValueError):
    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"expected {expected}")
        self.field = field


@dataclass
class _Reader:
    """What must be remembered of the lines that were read, to tell repeated ids apart."""

    recommender: str
    tenant: str
    _contents: dict[bytes, list[int]] = field(default_factory=dict)
    _rankings: dict[str, list[int]] = field(default_factory=dict)

    def event_id(self, document: dict[str, Any]) -> str:
        """By content without personal fields; contents that differ only there are numbered."""
        open_part = {name: value for name, value in document.items() if name not in _PERSONAL}
        encoded = msgspec.json.encode(open_part, order="sorted")
        digest = hashlib.blake2b(encoded, digest_size=16).digest()
        who = hash(tuple(str(document.get(name)) for name in _PERSONAL))
        number = _number(self._contents.setdefault(digest, []), who)
        return f"{document['event']}-{digest.hex()}{f'-{number + 1}' if number else ''}"

    def slate_id(self, ranking: str, event_id: str) -> str:
        """The id of the ranking; a second one of the same id gets a number."""
        number = _number(self._rankings.setdefault(ranking, []), hash(event_id))
        return f"{ranking}~{number + 1}" if number else ranking

    def latest_slate_id(self, ranking: str) -> str:
        """Of the last ranking of that id that was read."""
        number = len(self._rankings.get(ranking, ())) - 1
        return f"{ranking}~{number + 1}" if number > 0 else ranking


def _number(known: list[int], one: int) -> int:
    if one not in known:
        known.append(one)
    return known.index(one)


def convert_metarank(
    lines: Iterable[tuple[int, bytes]], *, recommender: str = RECOMMENDER, tenant: str = TENANT
) -> Iterator[AnyEvent | BadLine]:
    """For every numbered line its event, or the line itself as a bad one. `tenant` is for lines without.

    A line `{"source": ..., "event": {...}}` is taken as the event inside it.
    """
    reader = _Reader(recommender, tenant)
    for number, line in lines:
        try:
            yield _read(reader, _unwrap(_decode(line)))
        except _FieldError as error:
            yield BadLine(_as_text(line), number, "bad_row", error.field, str(error))
        except MalformedEventError as problem:
            yield _bad(line, number, problem)
        except (ValueError, RecursionError) as error:
            yield _bad(line, number, explain(line, error))


def _bad(line: bytes, number: int, problem: MalformedEventError) -> BadLine:
    return BadLine(_as_text(line), number, problem.code, problem.field, problem.reason)


def _as_text(line: bytes) -> str:
    return line.decode("utf-8", errors="backslashreplace")


def _unwrap(document: dict[str, Any]) -> dict[str, Any]:
    inner = document.get("event")
    if isinstance(inner, dict):
        around = {name: value for name, value in document.items() if name != "event"}
        document = {**around, **inner}
    if is_too_deep(document):
        raise MalformedEventError("too_deep", None, f"expected at most {DEEPEST} levels")
    return document


def _read(reader: _Reader, document: dict[str, Any]) -> AnyEvent:
    kind = document.get("event")
    if not isinstance(kind, str) or kind not in _READERS:
        raise _FieldError("event", f"one of {', '.join(_READERS)}")
    _text(document, "id")
    at = _time(document.get("timestamp"))
    taken = {"event", "timestamp", "tenant"}
    rest = {name: value for name, value in document.items() if name not in taken}
    envelope = {
        "event_id": reader.event_id(document),
        "tenant": _text(document, "tenant") if document.get("tenant") is not None else reader.tenant,
        "recommender": reader.recommender,
        "occurred_at": at,
        "received_at": at,
    }
    return _READERS[kind](reader, rest, envelope)


def _time(value: object) -> datetime:
    """Milliseconds or seconds since 1970, as a number or a text, or a date with time and offset."""
    expected = "milliseconds or seconds since 1970, or a time like 2022-06-22T11:21:39Z"
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    try:
        if math.isfinite(number) and not isinstance(value, bool):
            in_seconds = abs(number) < _FIRST_MILLISECONDS
            return _EPOCH + timedelta(milliseconds=round(number * 1000) if in_seconds else round(number))
        at = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError):
        raise _FieldError("timestamp", expected) from None
    if at.tzinfo is None:
        raise _FieldError("timestamp", expected)
    return at.astimezone(UTC)


def _text(part: dict[str, Any], name: str, path: str = "") -> str:
    """An id: a text, or a whole number as text."""
    value = part.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST:
        raise _FieldError(f"{path}{name}", f"a text of 1 to {_LONGEST} characters")
    return value


def _person(part: dict[str, Any], name: str) -> str | None:
    """A user or session; an empty one is none."""
    value = part.pop(name, None)
    return None if value in (None, "") else _text({name: value}, name)


def _fields(part: dict[str, Any], path: str = "") -> tuple[dict[str, float], dict[str, str], dict[str, Any]]:
    """The `fields` of an event, taken out of it: numbers, texts, and what is neither.

    A truth value is 1 or 0. Each entry of a list has its place in its name, as in `genres[0]`. Of fields with
    one name the first has it; another is under its own path, like everything that the format does not allow.
    """
    numbers: dict[str, float] = {}
    texts: dict[str, str] = {}
    others: dict[str, Any] = {}
    fields = part.pop("fields", None) or []
    if not isinstance(fields, list):
        raise _FieldError(f"{path}fields", "a list of names and values")
    for index, each in enumerate(fields):
        if not isinstance(each, dict) or not isinstance(each.get("name"), str):
            raise _FieldError(f"{path}fields[{index}]", "a name and a value")
        place = f"{path}fields[{index}]."
        others.update({place + key: each[key] for key in each if key not in {"name", "value"}})
        for name, value in _entries(each["name"], each.get("value")):
            if name in numbers or name in texts or not isinstance(value, str | int | float):
                others[place + name] = value
            elif isinstance(value, str):
                texts[name] = value
            else:
                numbers[name] = float(value)
    return numbers, texts, others


def _entries(name: str, value: Any) -> list[tuple[str, Any]]:
    """A list as its entries, if they are what can be kept one by one; anything else as it is."""
    if (
        isinstance(value, list)
        and value
        and all(isinstance(each, str | bool | int | float) for each in value)
    ):
        return [(f"{name}[{place}]", entry) for place, entry in enumerate(value)]
    return [(name, value)]


def _unnamed(rest: dict[str, Any], *taken: str) -> dict[str, Any]:
    """What goes to `extra`: all but what has a field, and never a person."""
    return {name: value for name, value in rest.items() if name not in taken and name not in _PERSONAL}


def _read_item(_: _Reader, rest: dict[str, Any], envelope: dict[str, Any]) -> Item:
    numbers, texts, others = _fields(rest)
    return Item(
        **envelope,
        item_id=_text(rest, "item"),
        kind="item",
        attributes=numbers,
        labels=texts,
        person_id=_person(rest, "user"),
        extra={**_unnamed(rest, "item"), **others},
    )


def _read_user(_: _Reader, rest: dict[str, Any], envelope: dict[str, Any]) -> Item:
    numbers, texts, others = _fields(rest)
    person = _text(rest, "user")
    return Item(
        **envelope,
        item_id=envelope["event_id"],
        kind="user",
        attributes=numbers,
        labels=texts,
        person_id=person,
        extra={**_unnamed(rest), **others},
    )


def _read_ranking(reader: _Reader, rest: dict[str, Any], envelope: dict[str, Any]) -> Slate:
    numbers, texts, others = _fields(rest)
    items = rest.pop("items", None)
    if not isinstance(items, list) or not 1 <= len(items) <= 1000:
        raise _FieldError("items", "a list of 1 to 1000 items")
    shown = [_read_shown(each, place, others) for place, each in enumerate(items)]
    _take_slot(shown, numbers)
    slate_id = reader.slate_id(_text(rest, "id"), envelope["event_id"])
    labels = texts | {name: repr(value).removesuffix(".0") for name, value in numbers.items()}
    return Slate(
        **envelope,
        slate_id=slate_id,
        campaign=CampaignContext(campaign_id=slate_id, labels=labels),
        slot=SLOT,
        policy=POLICY,
        items=shown,
        builder_id=_person(rest, "user"),
        session_id=_person(rest, "session"),
        extra={**(_unnamed(rest, "id") if rest["id"] == slate_id else _unnamed(rest)), **others},
    )


def _read_shown(each: object, place: int, others: dict[str, Any]) -> ShownItem:
    """One item of a ranking: its score is `relevancy`, else `score`, else a field called relevancy."""
    path = f"items[{place}]."
    if not isinstance(each, dict):
        raise _FieldError(f"items[{place}]", "an object with an id")
    part = dict(each)
    numbers, texts, rest = _fields(part, path)
    item_id = _text(part, "id", path)
    scores = {"relevancy": part.get("relevancy"), "score": part.get("score"), "": numbers.get("relevancy")}
    source, score = next(((name, value) for name, value in scores.items() if _is_number(value)), (None, None))
    if source == "":
        del numbers["relevancy"]
    others.update(rest)
    others.update({f"{path}{name}": value for name, value in part.items() if name not in {"id", source}})
    others.update({f"{path}fields.{name}": value for name, value in {**texts, **numbers}.items()})
    return ShownItem(item_id=item_id, position=place + 1, score=None if score is None else float(score))


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _take_slot(shown: list[ShownItem], numbers: dict[str, float]) -> None:
    """A ranking of one item that names its position and propensity is a single slot of a longer list."""
    position, propensity = numbers.get("position", 0.0), numbers.get("propensity", 0.0)
    if len(shown) == 1 and position % 1 == 0 and 1 <= position <= 1000 and 0 < propensity <= 1:
        shown[0].position, shown[0].propensity = int(position), propensity


def _read_interaction(reader: _Reader, rest: dict[str, Any], envelope: dict[str, Any]) -> Interaction:
    kind = _text(rest, "type")
    ranking = _text(rest, "ranking") if rest.get("ranking") not in (None, "") else None
    action: Action = "dismissed" if kind.lower() in DISMISSALS else "chosen"
    return Interaction(
        **envelope,
        slate_id=NO_RANKING if ranking is None else reader.latest_slate_id(ranking),
        item_id=_text(rest, "item"),
        action=action,
        builder_id=_person(rest, "user"),
        session_id=_person(rest, "session"),
        extra=_unnamed(rest, "ranking", "item")
        if rest.get("fields")
        else _unnamed(rest, "ranking", "item", "fields"),
    )


_READERS: dict[str, Callable[[_Reader, dict[str, Any], dict[str, Any]], AnyEvent]] = {
    "item": _read_item,
    "metadata": _read_item,
    "user": _read_user,
    "ranking": _read_ranking,
    "interaction": _read_interaction,
}
