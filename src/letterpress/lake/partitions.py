"""Partitions are data time: UTC hours of `occurred_at`, and ranges of them as one key."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from letterpress.errors import UsageError

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
HOUR_FORMAT = "%Y-%m-%dT%H"
_KEY = re.compile(r"^(\d{4}-\d{2}-\d{2}T\d{2})--(\d{4}-\d{2}-\d{2}T\d{2})$")


def format_hour(moment: datetime) -> str:
    """`2026-01-05T03`, the UTC hour that holds `moment`."""
    return moment.astimezone(UTC).strftime(HOUR_FORMAT)


def parse_hour(text: str) -> datetime:
    """The start of the hour called `text`. Raises UsageError when it is no hour."""
    try:
        return datetime.strptime(text, HOUR_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        raise UsageError(f"expected an hour like 2026-01-05T03, found {text!r}; correct it.") from None


def hours_of_partition(name: str) -> HourRange:
    """The hours of a folder of raw, which is called after an hour or, once compacted, after a day.

    >>> hours_of_partition("2026-01-05").key
    '2026-01-05T00--2026-01-06T00'

    Raises:
        UsageError: it is called after neither.
    """
    if is_day(name):
        start = parse_hour(f"{name}T00")
        return HourRange(start, start + DAY)
    start = parse_hour(name)
    return HourRange(start, start + HOUR)


def is_day(name: str) -> bool:
    """Whether a folder of raw is called after a day: hours have a `T`."""
    return "T" not in name


@dataclass(frozen=True, slots=True, order=True)
class HourRange:
    """UTC hours from `start` to before `end`; both lie on a full hour and `start < end`."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for moment in (self.start, self.end):
            if moment.tzinfo is None or moment.astimezone(UTC) != parse_hour(format_hour(moment)):
                raise UsageError(
                    f"expected a full UTC hour, found {moment.isoformat()}; cut off the minutes."
                )
        if self.start >= self.end:
            raise UsageError(
                f"expected a range that ends after it starts, found {format_hour(self.start)} to "
                f"{format_hour(self.end)}; swap them."
            )

    @property
    def key(self) -> str:
        """The partition key: `2026-01-05T03--2026-01-05T04`, end exclusive."""
        return f"{format_hour(self.start)}--{format_hour(self.end)}"

    @property
    def n_hours(self) -> int:
        return int((self.end - self.start) / HOUR)

    def overlaps(self, other: HourRange) -> bool:
        """Whether an hour lies in both."""
        return self.start < other.end and other.start < self.end

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end

    def __str__(self) -> str:
        return self.key

    @classmethod
    def parse(cls, key: str) -> HourRange:
        """The range that `key` names. Raises UsageError when it names none."""
        found = _KEY.match(key)
        if found is None:
            raise UsageError(
                f"expected a range like 2026-01-05T03--2026-01-05T04, found {key!r}; correct it."
            )
        return cls(parse_hour(found[1]), parse_hour(found[2]))


def coalesce_hours(
    hours: Iterable[datetime], max_ranges: int = 24, *, near_hours: int = 0
) -> list[HourRange]:
    """Ranges that cover `hours`, sorted; at most `max_ranges` (1 or more) of them.

    Contiguous hours become one range, and so do those with at most `near_hours` unchanged hours between
    them. When that leaves too many, the smallest gaps are closed first: fewer ranges that way cannot hold
    fewer hours.
    """
    starts = sorted(set(hours))
    if not starts:
        return []
    gaps = [int((after - before) / HOUR) - 1 for before, after in pairwise(starts)]
    widest_first = sorted(range(len(gaps)), key=lambda index: -gaps[index])
    cuts = sorted(index for index in widest_first[: max_ranges - 1] if gaps[index] > near_hours)
    firsts = [starts[0], *(starts[index + 1] for index in cuts)]
    lasts = [*(starts[index] for index in cuts), starts[-1]]
    return [HourRange(first, last + HOUR) for first, last in zip(firsts, lasts, strict=True)]
