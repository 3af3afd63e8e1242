from __future__ import annotations

import pytest

from letterpress.evaluation.looks import error_of_look, lower_bound
from letterpress.evaluation.paired_bootstrap import Interval


def test_all_looks_that_ever_come_spend_no_more_than_the_total() -> None:
    spent = sum(error_of_look(look) for look in range(1, 10_000))
    assert 0.0499 < spent < 0.05


def test_the_first_look_is_the_interval_itself_and_each_later_one_is_stricter() -> None:
    interval = Interval(0.01, -0.01, 0.03, 100)
    bounds = [lower_bound(interval, error_of_look(look)) for look in range(1, 6)]
    assert bounds[0] == pytest.approx(-0.01)
    assert bounds == sorted(bounds, reverse=True)


def test_looks_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="from 1"):
        error_of_look(0)
