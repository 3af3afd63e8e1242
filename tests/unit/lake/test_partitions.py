"""Ranges of hours as partition keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterpress.errors import UsageError
from letterpress.lake.partitions import HourRange, coalesce_hours, format_hour, parse_hour

START = datetime(2026, 1, 5, tzinfo=UTC)


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


def test_a_key_is_read_back_as_the_same_range() -> None:
    each = HourRange(hour(3), hour(4))
    assert each.key == "2026-01-05T03--2026-01-05T04"
    assert HourRange.parse(each.key) == each
    assert each.n_hours == 1


@pytest.mark.parametrize(
    "key", ["", "2026-01-05", "2026-01-05T03", "2026-01-05T03--", "2026-01-05T25--2026-01-06T00"]
)
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(UsageError):
        HourRange.parse(key)


def test_a_range_that_is_empty_or_has_minutes_is_refused() -> None:
    for start, end in ((hour(1), hour(1)), (hour(2), hour(1)), (hour(0), hour(1) + timedelta(minutes=1))):
        with pytest.raises(UsageError):
            HourRange(start, end)


def test_an_hour_is_named_in_utc() -> None:
    assert format_hour(datetime(2026, 1, 5, 1, 30, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-04T23"
    assert parse_hour("2026-01-04T23") == datetime(2026, 1, 4, 23, tzinfo=UTC)


def test_contiguous_hours_become_one_range() -> None:
    assert coalesce_hours([hour(number) for number in range(14 * 24)]) == [HourRange(START, hour(14 * 24))]


def test_a_late_hour_stays_one_range_of_its_own() -> None:
    assert coalesce_hours([hour(2), hour(30)]) == [HourRange(hour(2), hour(3)), HourRange(hour(30), hour(31))]


def test_of_too_many_ranges_those_with_the_smallest_gaps_are_joined() -> None:
    in_two_days = [hour(number) for number in (*range(0, 24, 2), *range(48, 72, 2))]
    assert coalesce_hours(in_two_days, max_ranges=2) == [
        HourRange(START, hour(23)),
        HourRange(hour(48), hour(71)),
    ]
    assert coalesce_hours(in_two_days, max_ranges=1) == [HourRange(START, hour(71))]
    assert coalesce_hours([hour(0), hour(2), hour(9)], max_ranges=2) == [
        HourRange(START, hour(3)),
        HourRange(hour(9), hour(10)),
    ]


def test_near_hours_are_one_range_however_many_there_may_be() -> None:
    near_and_far = [hour(0), hour(25), hour(51)]
    assert coalesce_hours(near_and_far, near_hours=24) == [
        HourRange(START, hour(26)),
        HourRange(hour(51), hour(52)),
    ]
    assert len(coalesce_hours(near_and_far, near_hours=23)) == 3


@given(st.sets(st.integers(0, 2000)), st.integers(1, 30), st.integers(0, 48))
def test_every_hour_is_covered_by_sorted_ranges_that_do_not_meet(
    numbers: set[int], max_ranges: int, near_hours: int
) -> None:
    ranges = coalesce_hours([hour(number) for number in numbers], max_ranges, near_hours=near_hours)
    assert len(ranges) <= max_ranges
    assert all(any(hour(number) in each for each in ranges) for number in numbers)
    assert all(before.end < after.start for before, after in pairwise(ranges))
