"""Lines to rows: what one block of a log holds as Arrow tables, and what is no event.

A block is decoded in this process or in another one (`decode_workers`); both run `decode_block`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from letterpress.events.codec import MalformedEventError, read_line, read_lines
from letterpress.events.types import EVENT_NAMES, EVENT_TYPES
from letterpress.lake.identity import Keys, identify
from letterpress.lake.log_file import Lines
from letterpress.lake.masking import Findings, mask_rows
from letterpress.lake.raw_columns import events_to_table
from letterpress.lake.tenant_keys import TenantKeys

_LINES_AT_ONCE = 256
_EVENT_NAME = dict(zip(EVENT_TYPES, EVENT_NAMES, strict=True))


@dataclass(frozen=True, slots=True)
class DecodedRows:
    """Events of one type in the order of their lines."""

    event: str
    rows: pa.Table
    recommenders: pa.Array
    keys: Keys

    def filter(self, kept: NDArray[np.bool_]) -> DecodedRows:
        """Only the rows that are `kept`."""
        mask = pa.array(kept)
        return DecodedRows(
            self.event, self.rows.filter(mask), self.recommenders.filter(mask), self.keys[kept]
        )


@dataclass(frozen=True, slots=True)
class BadText:
    """A line that is no event, with the parts of its `MalformedEventError` (errors do not travel well)."""

    text: bytes
    number: int
    code: str
    field: str | None
    reason: str
    raw: bytes | None
    tenant: str | None

    def problem(self) -> MalformedEventError:
        return MalformedEventError(self.code, self.field, self.reason, self.raw, self.tenant)


@dataclass(frozen=True, slots=True)
class DecodedBlock:
    """What became of the lines of one block."""

    n_lines: int
    rows: list[DecodedRows] = field(default_factory=list)
    bad: list[BadText] = field(default_factory=list)
    masked: Findings = field(default_factory=Counter)
    """What personal data was found and masked."""


def decode_block(lines: Lines, received_at: datetime, tenant_keys: TenantKeys) -> DecodedBlock:
    """The events of `lines` as rows by type, without personal data, and the lines that are none.

    `received_at` is filled in where an event carries none.

    Raises:
        StorageError: there is personal data, and no key to mask it with.
    """
    events, bad = _decode_lines(lines)
    block = DecodedBlock(len(lines.texts), [], bad)
    for name in EVENT_NAMES:
        if name in events:
            rows, masked = _as_rows(name, events[name], received_at, tenant_keys)
            block.rows.append(rows)
            block.masked.update(masked)
    return block


def _decode_lines(lines: Lines) -> tuple[dict[str, list[Any]], list[BadText]]:
    """The hot loop: the events by type, some lines at a time, and one by one where one is not plain."""
    events: dict[str, list[Any]] = defaultdict(list)
    bad: list[BadText] = []
    for start in range(0, len(lines.texts), _LINES_AT_ONCE):
        texts = lines.texts[start : start + _LINES_AT_ONCE]
        plain = read_lines(texts)
        if plain is not None:
            for name, some in plain.items():
                events[name] += some
            continue
        for text, number in zip(texts, lines.numbers[start : start + _LINES_AT_ONCE], strict=True):
            event = read_line(text)
            if isinstance(event, MalformedEventError):
                bad.append(
                    BadText(text, number, event.code, event.field, event.reason, event.raw, event.tenant)
                )
            else:
                events[_EVENT_NAME[type(event)]].append(event)
    return events, bad


def _as_rows(
    event: str, events: list[Any], received_at: datetime, tenant_keys: TenantKeys
) -> tuple[DecodedRows, Findings]:
    rows, masked = mask_rows(event, events_to_table(event, events, received_at), tenant_keys)
    recommenders = pa.array([each.recommender for each in events], pa.string())
    return DecodedRows(event, rows, recommenders, identify(event, rows, recommenders)), masked
