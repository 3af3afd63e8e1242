import pytest
from hypothesis import given
from hypothesis import strategies as st

from letterpress.site.interval_chart import Interval, choose_step, lay_out

VALUES = st.floats(-1.0, 1.0, allow_nan=False)


@given(VALUES, VALUES, VALUES)
def test_everything_is_drawn_between_the_ends_of_the_axis(first: float, second: float, third: float) -> None:
    low, mean, high = sorted((first, second, third))
    chart = lay_out("title", "axis", [Interval("challenger", mean, low, high)], [(0.0, "no change")])

    (row,) = chart.rows
    drawn = [row.low_x, row.mean_x, row.high_x, *(mark.x for mark in chart.marks)]
    assert all(chart.left - 0.01 <= x <= chart.right + 0.01 for x in drawn)
    assert row.low_x <= row.mean_x <= row.high_x


@given(st.floats(1e-6, 1e6))
def test_there_are_few_ticks_but_never_fewer_than_two(span: float) -> None:
    assert 2 <= span / choose_step(span) <= 6


def test_a_rate_gets_no_axis_below_zero() -> None:
    chart = lay_out("title", "axis", [Interval("challenger", 0.005, 0.0, 0.012)])

    assert chart.ticks[0].text == "0.0000"


def test_a_difference_is_written_with_its_sign() -> None:
    chart = lay_out("title", "axis", [Interval("difference", 0.01, -0.01, 0.03)], signed=True)

    assert chart.rows[0].text == "+0.0100 [-0.0100, +0.0300]"


@pytest.mark.parametrize(("bar", "on_the_left"), [(-0.005, [False, True]), (0.005, [True, False])])
def test_names_of_two_marks_stand_on_their_outer_sides(bar: float, on_the_left: list[bool]) -> None:
    interval = Interval("gain", 0.01, -0.1, 0.1)
    chart = lay_out("title", "axis", [interval], [(0.0, "no change"), (bar, "bar")])

    assert [mark.on_the_left for mark in chart.marks] == on_the_left


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one interval"):
        lay_out("title", "axis", [])
