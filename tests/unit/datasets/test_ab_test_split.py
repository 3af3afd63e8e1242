"""Tables of A/B tests are split by time where their weeks allow it, and by the names of tests elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.unit.datasets.test_temporal_split import slates

from letterpress.datasets.ab_test_split import split_by_name, split_tests
from letterpress.datasets.temporal_split import Split, is_by_time
from letterpress.datasets.training_set import TrainingSet
from letterpress.errors import NotEnoughDataError

WEEK = 168.0
BLANK = 0.0


def of_weeks(weeks: list[float]) -> TrainingSet:
    return slates([week * WEEK for week in weeks], list(range(len(weeks))))


def split(whole: TrainingSet, fewest_judged: int = 0) -> Split:
    return split_tests(whole, test_share=0.15, gap_hours=24, fewest_judged=fewest_judged)


@pytest.mark.parametrize(
    "weeks",
    [
        [BLANK] * 400,
        [700.0] * 200 + [701.0] * 200,
        [700.0] * 360 + [710.0 + week for week in range(40)],
        [700.0 + week for week in range(40)] + [750.0] * 360,
        [BLANK] * 320 + [700.0 + week // 8 for week in range(80)],
    ],
    ids=["no weeks", "two weeks", "nine of ten in the first", "nine of ten in the last", "mostly blank"],
)
def test_tests_that_weeks_do_not_part_are_split_by_name(weeks: list[float]) -> None:
    train, valid, test = found = split(of_weeks(weeks))
    assert not is_by_time(found)
    assert len(train) + len(valid) + len(test) == 400
    assert [len(part) / 400 for part in found] == pytest.approx([0.68, 0.17, 0.15], abs=0.06)


@pytest.mark.parametrize("per_week", [8, 40, 100])
def test_tests_of_many_weeks_are_split_by_time(per_week: int) -> None:
    found = split(of_weeks([700.0 + test // per_week for test in range(400)]))
    assert is_by_time(found)
    assert len(found.train) + len(found.valid) >= 300


def test_a_test_split_by_name_stays_in_its_part_while_others_come() -> None:
    few, many = (of_weeks([BLANK] * count) for count in (300, 600))
    for before, after in zip(split(few), split(many), strict=True):
        assert set(before.slate_ids) == set(few.slate_ids) & set(after.slate_ids)
    shares = [len(part) / 600 for part in split_by_name(many, test_share=0.25)]
    assert shares == pytest.approx([0.6, 0.15, 0.25], abs=0.05)


def test_too_few_tests_to_split_by_name_are_refused() -> None:
    with pytest.raises(NotEnoughDataError, match="found 1 slates of 1 campaigns"):
        split(of_weeks([BLANK]))


def with_distrusted(whole: TrainingSet) -> TrainingSet:
    return replace(whole, distrusted=np.arange(len(whole)) % 4 == 0)


@pytest.mark.parametrize("weeks", [[BLANK] * 150, [700.0 + test // 5 for test in range(150)]])
def test_as_many_trusted_tests_are_held_back_as_a_verdict_needs(weeks: list[float]) -> None:
    train, valid, test = split(with_distrusted(of_weeks(weeks)), 50)
    assert 50 <= len(test.judged()) <= 55
    assert len(train) + len(valid) >= 75
    assert len(train) > 2 * len(valid) > 0


@pytest.mark.parametrize("count", [150, 300, 900])
def test_what_was_learnt_from_is_never_judged_on_when_others_come(count: int) -> None:
    before, after = (split(of_weeks([BLANK] * tests), 50) for tests in (count, count + 60))
    assert not {*before.train.slate_ids, *before.valid.slate_ids} & set(after.test.slate_ids)
    assert len(after.test) >= max(50, 0.1 * count)
