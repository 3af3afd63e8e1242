"""What happens to the lines of the steady world on their way into files, by scenario."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from letterpress.simulation.campaigns import DAY, HOUR, MINUTE, Ints
from letterpress.simulation.damage import damage_lines
from letterpress.simulation.event_lines import Lines, format_times
from letterpress.simulation.plan import Plan

LATE_HOURS = (10, 34, 35)
"""Hours since the start whose events are late in the scenario `late`."""
CORRUPT_SHARE = 0.01
COPY_SHARE = 0.005
"""Share of lines that are copied in each of the four ways."""
COPIES = ("same_file", "other_file", "other_day", "other_hour")
LOST_SHARE = 0.03
LOST_HOUR = 30
"""Hour since the start from which nothing arrives in the scenario `lossy`."""
UNKNOWN_SHARE, OLDER_SHARE, RENAMED_SHARE = 0.2, 0.05, 0.01
CLOCK_SKEW = {"cedar": 7 * MINUTE, "willow": -3 * HOUR}
"""What the clocks of two tenants are wrong by."""


NOWHERE = ""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Lines that go into one kind of file at `received_at`, and what they are counted as.

    `counted` is a field of `Summary`; `label` names them there, the event type when it is None.
    Lost lines are a parcel too, of a file that is never written.
    """

    lines: Lines
    file: str = "events"
    counted: str = "events"
    label: str | None = None


Fault = Callable[[Plan, Lines, np.random.Generator], list[Parcel]]


def deliver(plan: Plan, lines: Lines, rng: np.random.Generator) -> list[Parcel]:
    """Lines of one event type as the parcels that the scenario of the plan makes of them."""
    fault = FAULTS.get(plan.scenario)
    return [Parcel(lines)] if fault is None else fault(plan, lines, rng)


def _corrupt(_: Plan, lines: Lines, rng: np.random.Generator) -> list[Parcel]:
    damaged, places, codes = damage_lines([text.encode() for text in lines.texts], CORRUPT_SHARE, rng)
    parcels = [Parcel(lines)]
    for code in sorted(set(codes)):
        which = [number for number, each in enumerate(codes) if each == code]
        rows = np.array([places[number] for number in which])
        texts = [damaged[number].decode("utf-8", "surrogateescape") for number in which]
        bad = Lines(lines.name, texts, lines.occurred_at[rows], lines.received_at[rows])
        parcels.append(Parcel(bad, counted="damaged", label=code))
    return parcels


def _delay(plan: Plan, lines: Lines, _: np.random.Generator) -> list[Parcel]:
    if lines.name not in ("interaction", "outcome"):
        return [Parcel(lines)]
    late = np.isin((lines.occurred_at - plan.begin) // HOUR, LATE_HOURS)
    held = lines.keep(late)
    received = held.received_at + DAY
    texts = _replace_times(held.texts, "received_at", held.received_at, received)
    return [Parcel(lines.keep(~late)), Parcel(replace(held, texts=texts, received_at=received), file="late")]


def _repeat(_: Plan, lines: Lines, rng: np.random.Generator) -> list[Parcel]:
    kind = rng.choice(len(COPIES) + 1, len(lines), p=[COPY_SHARE] * len(COPIES) + [1 - 4 * COPY_SHARE])
    same_file, other_file, other_day, other_hour = (lines.keep(kind == each) for each in range(len(COPIES)))
    earlier = other_hour.occurred_at - HOUR
    texts = _replace_times(other_hour.texts, "occurred_at", other_hour.occurred_at, earlier)
    copies = (
        (same_file, "events"),
        (other_file, "repeat"),
        (replace(other_day, received_at=other_day.received_at + DAY), "repeat"),
        (replace(other_hour, texts=texts, occurred_at=earlier), "repeat"),
    )
    repeated = [
        Parcel(copy, file=file, counted="duplicates", label=name)
        for name, (copy, file) in zip(COPIES, copies, strict=True)
    ]
    return [Parcel(lines), *repeated]


def _lose(plan: Plan, lines: Lines, rng: np.random.Generator) -> list[Parcel]:
    hours = (lines.received_at - plan.begin) // HOUR
    lost = (rng.random(len(lines)) < LOST_SHARE) | (hours == LOST_HOUR)
    return [Parcel(lines.keep(~lost)), Parcel(lines.keep(lost), file=NOWHERE, counted="lost")]


def _change_schema(plan: Plan, lines: Lines, rng: np.random.Generator) -> list[Parcel]:
    kind = rng.choice(4, len(lines), p=_SCHEMA_SHARES)
    kind = np.where(lines.occurred_at >= plan.drift_at, kind, 0)
    texts = lines.texts.copy()
    changes = (_add_unknown, _make_older)
    for place, change in enumerate(changes, 1):
        for row in np.flatnonzero(kind == place).tolist():
            texts[row] = change(texts[row])
    renamed = lines.keep(kind == 3)
    bad = [text.replace('"recommender":', '"ranker":', 1) for text in renamed.texts]
    return [
        Parcel(replace(lines, texts=texts).keep(kind != 3)),
        Parcel(replace(renamed, texts=bad), counted="damaged", label="missing_field"),
    ]


_SCHEMA_SHARES = np.array(
    [1 - UNKNOWN_SHARE - OLDER_SHARE - RENAMED_SHARE, UNKNOWN_SHARE, OLDER_SHARE, RENAMED_SHARE]
)


def _add_unknown(text: str) -> str:
    return f'{text[:-1]},"editor_build":"2026.2","theme":{{"name":"autumn","colours":3}}}}'


_SINCE_VERSION_2 = re.compile(
    r',"(?:builder_id|session_id|recipient_id|experiment_id)":"[^"]*"|,"experiment":\{[^}]*\}'
)


def _make_older(text: str) -> str:
    """As a sender of version 1 wrote it: no people, no experiments, `feature_schema` by its old name."""
    head, _, tail = _SINCE_VERSION_2.sub("", text).partition(",")
    schema = '"schema_hash":"uniform",' if head.endswith('"slate"') else ""
    return f'{head},"version":1,{schema}{tail}'


def _skew_clocks(plan: Plan, lines: Lines, _: np.random.Generator) -> list[Parcel]:
    shift = np.zeros(len(lines), np.int64)
    for tenant, wrong_by in CLOCK_SKEW.items():
        mark = f'"tenant":"{tenant}"'
        shift[[mark in text for text in lines.texts]] = wrong_by
    shift[lines.occurred_at < plan.drift_at] = 0
    occurred = lines.occurred_at + shift
    rows = np.flatnonzero(shift)
    changed = [lines.texts[row] for row in rows.tolist()]
    texts = lines.texts.copy()
    skewed = _replace_times(changed, "occurred_at", lines.occurred_at[rows], occurred[rows])
    for row, text in zip(rows.tolist(), skewed, strict=True):
        texts[row] = text
    return [Parcel(replace(lines, texts=texts, occurred_at=occurred))]


def _replace_times(texts: list[str], name: str, old: Ints, new: Ints) -> list[str]:
    return [
        text.replace(f'"{name}":"{before}"', f'"{name}":"{after}"', 1)
        for text, before, after in zip(texts, format_times(old), format_times(new), strict=True)
    ]


FAULTS: dict[str, Fault] = {
    "corrupt": _corrupt,
    "late": _delay,
    "duplicates": _repeat,
    "lossy": _lose,
    "schema-change": _change_schema,
    "clock-skew": _skew_clocks,
}
"""Scenarios whose world is the steady one, and what they do to its lines."""
