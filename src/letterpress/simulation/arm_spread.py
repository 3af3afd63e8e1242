"""How far apart the true click rates of an experiment's arms lie, estimated from their counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ArmSpread:
    """What a set of experiments has in common."""

    experiments: int
    click_rate: float
    """Clicks of all arms by deliveries of all arms."""
    relative_spread: float
    """Standard deviation of the arms' true rates within an experiment, relative to its mean rate."""


def estimate_arm_spread(
    experiment: NDArray[np.int64], clicks: NDArray[np.int64], deliveries: NDArray[np.int64]
) -> ArmSpread:
    """The spread by moments; all arrays (n_arms,), `experiment` numbers the experiment of an arm.

    Of each experiment's variance of observed rates, what binomial chance explains is taken off; the rest,
    relative to the squared mean, is averaged with the clicks of the experiments as weights, because those
    with few clicks say little. Experiments of one arm or without a click are left out.

    >>> rng = np.random.default_rng(1)
    >>> rates = 0.015 * np.exp(rng.normal(0.0, 0.2, (500, 4)))
    >>> counts = rng.binomial(3000, rates).ravel()
    >>> found = estimate_arm_spread(np.repeat(np.arange(500), 4), counts, np.full(2000, 3000))
    >>> found.experiments, round(found.relative_spread, 1)
    (500, 0.2)
    """
    _, place, arms = np.unique(experiment, return_inverse=True, return_counts=True)

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.bincount(place, values, len(arms))

    rates = clicks / deliveries
    all_clicks, mean = total(clicks.astype(float)), total(rates) / arms
    usable = (arms > 1) & (all_clicks > 0)
    pooled = all_clicks / total(deliveries.astype(float))
    by_chance = total((pooled * (1.0 - pooled))[place] / deliveries) / arms
    observed = total((rates - mean[place]) ** 2) / np.maximum(arms - 1, 1)
    excess = (observed - by_chance)[usable] / pooled[usable] ** 2
    spread = np.sqrt(max(0.0, float(np.average(excess, weights=all_clicks[usable]))))
    within = usable[place]
    rate = clicks[within].sum() / deliveries[within].sum()
    return ArmSpread(int(usable.sum()), float(rate), float(spread))
