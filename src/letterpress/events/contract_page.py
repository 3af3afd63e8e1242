"""The page for the editor's developers, `docs/events/README.md`, drawn from the typed models."""

from __future__ import annotations

import json
from collections.abc import Collection

import msgspec
from msgspec import Struct, inspect

from letterpress.events.codec import EARLIEST, LATEST, MAX_LINE_BYTES, REASONS, encode
from letterpress.events.examples import example_events
from letterpress.events.types import (
    EVENT_NAMES,
    EVENT_TYPES,
    PERSONAL_MARK,
    SCHEMA_VERSION,
    UNIT_MARK,
    CampaignContext,
    DescribedItem,
    Event,
    Experiment,
    ShownItem,
    marks_of,
    model_fields,
)
from letterpress.events.unknown_fields import DEEPEST

PARTS: dict[str, type[Struct]] = {
    "campaign": CampaignContext,
    "items[]": ShownItem,
    "experiment": Experiment,
    "described[]": DescribedItem,
}
_HEAD = "| field | required | type and range | unit | meaning |\n|---|---|---|---|---|"


def render_contract() -> str:
    """The page as Markdown."""
    examples = example_events()
    envelope = {each.name for each in model_fields(Event)}
    pieces = [_introduction(), "## Every event", "", _table(Event), ""]
    for name, model in zip(EVENT_NAMES, EVENT_TYPES, strict=True):
        pieces += [f"## `{name}`", "", _first_line(model), "", _table(model, without=envelope), ""]
        pieces += ["```json", _pretty(encode(examples[name])), "```", ""]
    pieces += ["## Parts", ""]
    for place, part in PARTS.items():
        pieces += [f"### `{place}`", "", _first_line(part), "", _table(part), ""]
    return "\n".join([*pieces, _reasons()])


def _introduction() -> str:
    schemas = ", ".join(f"[`{name}`]({name}.schema.json)" for name in EVENT_NAMES)
    return f"""# The events of the log

Drawn from the typed models by `make docs`; a test fails when it is out of date. This is version
{SCHEMA_VERSION}. The same as JSON Schema (draft 2020-12): {schemas}; version 1 is in [`v1/`](v1/).

Send events to `POST /v1/events`, a JSON array or one object a line, or write them to a file `*.jsonl`,
`.jsonl.gz` or `.jsonl.zst` (UTF-8, one JSON object a line), or a table `*.parquet` (a column a field), and
`letterpress import --format letterpress` it. [Logs of other systems](importing.md) are read too.

1. The editor asks for a slate: the service logs it. Nobody has to send `slate` who does not rank by himself.
2. What the builder does with an item is an `interaction`, at once.
3. What recipients do is an `outcome`, whenever it is known: hours or days later, before or after the slate.
   Send one event a recipient (`recipient_id`), or counts (`count`); counts of one place add up.
4. `item` and `campaign` say what items and e-mails are. The latest one known at a time counts.

**Sending twice is harmless.** The first event of a `tenant` and `event_id` counts, later ones are duplicates.
Make the id from what happened (slate, item, kind, number), not from the time of sending.

**Times** are RFC 3339 with an offset, e.g. `2026-01-20T11:00:00.250+01:00`, from {EARLIEST:%Y} to before
{LATEST:%Y}. When it occurred decides the hour of the log, when it arrived decides what could be known.

**People.** Fields marked *personal* are kept as keyed hashes only. E-mail addresses and telephone numbers do
not belong into any field; where one is found it is masked.

**Unknown fields** are kept, not refused: in `extra`, by their path (`campaign.colour`, `items[0].badge`), at
most {DEEPEST} levels deep.

**Older versions** are read as today's. A line without `version` may be of any. Version 2 renamed
`schema_hash` of a slate to `feature_schema`, and added people, experiments and `extra`.

**An A/B send** is a slate with an `experiment`: those of its items that are sent at once are the arms, chance
assigns each `unit` to one, and `original_arm` is what the others are compared with. Outcomes of that send
carry its `experiment_id`; those of later sends of the winner do not. `arm` is needed only where two arms are
one item.

Ids may hold any characters but control characters; they are never used as paths. A line has at most
{MAX_LINE_BYTES:,} bytes.
"""


def _first_line(model: type[Struct]) -> str:
    return (model.__doc__ or "").partition("\n")[0]


def _table(model: type[Struct], without: Collection[str] = ()) -> str:
    rows = [_row(each) for each in model_fields(model) if each.name not in without]
    return "\n".join([_HEAD, *rows])


def _row(each: inspect.Field) -> str:
    marks = marks_of(each.type)
    is_required = each.required and each.name != "type"
    meaning = marks.get("description", "") + (" *Personal.*" if PERSONAL_MARK in marks else "")
    default = (
        "" if each.required or each.default in (None, msgspec.NODEFAULT) else f"; {each.default} if absent"
    )
    cells = (
        f"`{each.name}`",
        "yes" if is_required else "",
        _type_of(each.type) + default,
        marks.get(UNIT_MARK, ""),
        meaning,
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _type_of(kind: inspect.Type) -> str:
    """In words, with its range."""
    match kind:
        case inspect.Metadata():
            words = _type_of(kind.type)
        case inspect.UnionType():
            words = " or ".join(
                _type_of(each) for each in kind.types if not isinstance(each, inspect.NoneType)
            )
        case inspect.StrType():
            words = _text_of(kind)
        case inspect.IntType() | inspect.FloatType():
            words = _number_of(kind)
        case inspect.LiteralType():
            words = ", ".join(f"`{value}`" for value in sorted(map(str, kind.values)))
        case inspect.ListType():
            words = f"list of {_size_of(kind)}{_type_of(kind.item_type)}"
        case inspect.DictType():
            words = f"object of {_type_of(kind.value_type)}"
        case _:
            words = _WORDS.get(type(kind), "a part, see below")
    return words


_WORDS: dict[type[inspect.Type], str] = {
    inspect.DateTimeType: "time",
    inspect.AnyType: "any JSON",
    inspect.BytesType: "bytes in base64",
}


def _size_of(kind: inspect.ListType) -> str:
    return "" if kind.max_length is None else f"{kind.min_length or 0} to {kind.max_length}: "


def _text_of(kind: inspect.StrType) -> str:
    if kind.pattern is not None:
        return f"name `{kind.pattern}`"
    return (
        "text"
        if kind.max_length is None
        else f"text of {kind.min_length or 0} to {kind.max_length} characters"
    )


def _number_of(kind: inspect.IntType | inspect.FloatType) -> str:
    name = "whole number" if isinstance(kind, inspect.IntType) else "number"
    low = (
        f" above {kind.gt:g}" if kind.gt is not None else f" from {kind.ge:,}" if kind.ge is not None else ""
    )
    return name + low + (f" to {kind.le:,}" if kind.le is not None else "")


def _pretty(line: bytes) -> str:
    return json.dumps(json.loads(line), indent=2, ensure_ascii=False)


def _reasons() -> str:
    rows = [f"| `{code}` | {meaning} |" for code, meaning in REASONS.items()]
    return "\n".join(
        [
            "## What is refused, and why",
            "",
            "`/v1/events` names the place, field and reason of each event that it refuses,",
            "and takes the others. A line of a file goes to quarantine with one of these codes.",
            "A reason never quotes a value.",
            "",
            "| code | meaning |",
            "|---|---|",
            *rows,
            "",
        ]
    )
