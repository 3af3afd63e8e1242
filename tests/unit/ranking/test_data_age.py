from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench.resiliency import draw_paths, draw_slates

from letterpress.datasets.training_set import MICROSECONDS_PER_HOUR, TrainingSet
from letterpress.evaluation.resiliency import HalfLife
from letterpress.ranking.data_age import (
    MOST_SLATES,
    DataAge,
    measure_data_age,
    partition_scores,
    sampled_over_time,
    weigh_by_age,
)


def drifting(half_life: float, *, days: int = 60, seed: int = 1) -> TrainingSet:
    rng = np.random.default_rng(seed)
    return draw_slates(rng, draw_paths(rng, np.full(20, half_life), days))


def test_a_log_that_ages_is_weighed_by_its_half_life() -> None:
    part = drifting(8.0)
    age = measure_data_age(part)
    assert age.overall is not None
    assert age.weighs
    assert age.overall.days == pytest.approx(8.0, rel=0.35)
    weights = weigh_by_age(part, age).weights
    assert weights.mean() == pytest.approx(1.0)
    a_day_apart = weights[40] / weights[0]
    assert a_day_apart == pytest.approx(2 ** (1 / age.overall.days))


def test_a_log_that_stands_still_is_weighed_uniformly() -> None:
    rng = np.random.default_rng(3)
    part = draw_slates(rng, np.tile(rng.normal(size=20), (60, 1)))
    age = measure_data_age(part)
    assert age.overall is not None
    assert not weigh_by_age(part, age).is_weighted
    assert age.as_numbers()["look_back_days"] is None
    assert {each["score"] for each in partition_scores(part, age)} == {1.0}


@pytest.mark.parametrize(
    ("days", "hours_a_day", "said"),
    [(4, 24, "expected at least 180 slates"), (60, 0.2, "expected slates of at least a day")],
)
def test_what_is_too_small_to_tell_says_so_and_is_weighed_uniformly(
    days: int, hours_a_day: float, said: str
) -> None:
    part = drifting(2.0, days=days)
    part = replace(part, shown_at=(part.shown_at * hours_a_day / 24).astype(np.int64))
    age = measure_data_age(part)
    assert said in age.reason
    assert age.as_numbers()["half_life"] is None
    assert weigh_by_age(part, age) is part


def test_single_slots_have_nothing_to_compare_and_say_so() -> None:
    part = drifting(5.0)
    singles = part.take_rows(np.arange(part.rows) % 8 == 0)
    assert "found no such thing" in measure_data_age(singles).reason


def test_the_order_of_slates_does_not_matter() -> None:
    part = drifting(8.0)
    backwards = TrainingSet.joined(
        [part.take(np.arange(len(part)) >= 1000), part.take(np.arange(len(part)) < 1000)]
    )
    found, again = measure_data_age(part).overall, measure_data_age(backwards).overall
    assert found is not None
    assert again is not None
    assert again.days == pytest.approx(found.days, rel=0.01)


def test_a_day_is_worth_half_after_a_half_life() -> None:
    part = drifting(8.0, days=20)
    scores = partition_scores(part, DataAge(overall=HalfLife(7.0, 5.0, 9.0)))
    assert [each["day"] for each in scores[:2]] == ["1970-01-01", "1970-01-02"]
    assert (scores[-1]["score"], scores[-8]["score"], scores[-15]["score"]) == (1.0, 0.5, 0.25)
    assert sum(each["rows"] for each in scores) == part.rows
    assert sum(each["share"] for each in scores) == pytest.approx(1.0, abs=1e-4)


def test_a_long_log_is_looked_at_evenly() -> None:
    part = drifting(8.0, days=20)
    some = sampled_over_time(part, 100)
    assert len(some) == 100
    assert np.ptp(some.shown_at) == pytest.approx(np.ptp(part.shown_at), abs=8 * MICROSECONDS_PER_HOUR)
    assert sampled_over_time(part, MOST_SLATES) is part
