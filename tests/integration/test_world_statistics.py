"""The experiments of the simulated world are as clickable and as different as those of a real archive."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from bench.world_statistics import simulated_spread, upworthy_spread

from letterpress.simulation.simulate import Plan, simulate


def test_click_rate_and_spread_between_arms_are_those_of_upworthy(
    tmp_path: Path, reference_data: Path
) -> None:
    summary = simulate(Plan(6, 4000, 7, "steady", datetime(2026, 1, 5, tzinfo=UTC)), tmp_path)
    world = simulated_spread(tmp_path, summary.files)
    archive = upworthy_spread(reference_data / "upworthy" / "upworthy_dev.csv.gz")
    assert archive.experiments > 1500
    assert world.experiments > 800
    assert 0.18 < world.relative_spread < 0.24
    assert 0.18 < archive.relative_spread < 0.24
    assert world.relative_spread == pytest.approx(archive.relative_spread, abs=0.03)
    assert world.click_rate == pytest.approx(0.015, abs=0.002)
    assert archive.click_rate == pytest.approx(0.013, abs=0.001)
