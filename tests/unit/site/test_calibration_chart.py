from __future__ import annotations

import pytest

from letterpress.site.calibration_chart import LEFT, SIDE, TOP, draw_calibration

NUMBERS = {
    "relative_error": 0.08,
    "low": 0.02,
    "high": 0.11,
    "predicted": [0.01, 0.02, 0.04],
    "observed": [0.012, 0.02, 0.036],
    "trials": [100.0, 400.0, 100.0],
}


def test_a_dot_on_the_diagonal_was_told_exactly_and_one_above_happened_more_often() -> None:
    chart = draw_calibration("clicked", NUMBERS)
    below_diagonal = [(dot.x - LEFT) - (TOP + SIDE - dot.y) for dot in chart.dots]
    assert below_diagonal[0] < 0
    assert below_diagonal[1] == pytest.approx(0, abs=0.02)
    assert below_diagonal[2] > 0
    assert chart.dots[1].radius > chart.dots[0].radius
    assert chart.ticks[0].x == 0
    assert chart.ticks[-1].x == SIDE
    assert "8.0% of what happened" in chart.conclusion
