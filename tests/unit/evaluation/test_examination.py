from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.examination import estimate_examination, ordered_share

Floats = NDArray[np.float64]
ITEMS = 8


def ordered_log(
    slates: int, *, power: float, explored: float, seed: int
) -> tuple[Floats, NDArray[np.int64], Floats, NDArray[np.int64]]:
    """A champion that knows the gains well orders all but `explored` of the slates."""
    generator = np.random.default_rng(seed)
    appeal = generator.uniform(0.05, 0.6, (slates, ITEMS))
    best = np.argsort(-(appeal + 0.1 * generator.normal(size=appeal.shape)), axis=1)
    order = best.copy()
    shuffled = generator.random(slates) < explored
    order[shuffled] = np.argsort(generator.random((int(shuffled.sum()), ITEMS)), axis=1)
    positions = np.argsort(order, axis=1) + 1
    examined = generator.random(appeal.shape) < positions**-power
    gains = (examined & (generator.random(appeal.shape) < appeal)).astype(float)
    champions = np.argsort(best, axis=1) + 1
    propensities = (1 - explored) * (positions == champions) + explored / ITEMS
    return gains.ravel(), positions.ravel(), propensities.ravel(), np.repeat(np.arange(slates), ITEMS)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_the_power_is_recovered_from_the_explored_part(power: float) -> None:
    found = estimate_examination(*ordered_log(20_000, power=power, explored=0.2, seed=3))
    assert found.power == pytest.approx(power, abs=0.1)
    assert found.low <= power <= found.high


def test_without_weights_the_order_of_the_champion_looks_like_position() -> None:
    gains, positions, _, slates = ordered_log(20_000, power=0.5, explored=0.2, seed=3)
    naive = estimate_examination(gains, positions, np.full(len(gains), 0.5), slates)
    assert naive.low > 0.7


def test_a_slate_is_ordered_when_its_items_had_unequal_chances() -> None:
    propensities = np.array([0.5, 0.5, 0.9, 0.1, np.nan, 0.5])
    assert ordered_share(propensities, np.array([0, 2, 4, 4, 6])) == pytest.approx(2 / 3)
    assert ordered_share(np.array([]), np.array([0])) == 0.0


def test_a_log_without_propensities_or_gains_is_refused() -> None:
    gains, positions, propensities, slates = ordered_log(100, power=0.5, explored=0.2, seed=3)
    with pytest.raises(NotEnoughDataError, match="log propensities"):
        estimate_examination(gains, positions, np.full_like(propensities, np.nan), slates)
    with pytest.raises(NotEnoughDataError, match="found 0 positions"):
        estimate_examination(np.zeros_like(gains), positions, propensities, slates)
