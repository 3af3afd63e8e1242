"""A spread that was kept tells the same distance as the sample that it is of."""

from __future__ import annotations

import numpy as np
import pytest

from letterpress.evaluation.stability import Spread, distance, spread_of, stability_index


@pytest.mark.parametrize("levels", [3, 1000])
def test_a_kept_spread_tells_the_distance_of_its_sample(levels: int) -> None:
    random = np.random.default_rng(5)
    before = random.integers(0, levels, 2_000).astype(np.float32)
    after = (random.integers(0, levels, 500) * 1.3).astype(np.float32)
    before[:100] = np.nan
    kept = spread_of(before)

    assert distance(Spread(kept.levels, kept.counts), after) == stability_index(before, after) > 0.1
    assert kept.coverage == pytest.approx(0.95)
    assert sum(kept.counts) == len(before)


def test_of_nothing_nothing_is_known() -> None:
    assert spread_of(np.array([])).coverage is None
    assert spread_of(np.array([np.nan])).coverage == 0.0
