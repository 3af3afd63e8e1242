"""A rate that never falls as a score rises: isotonic regression on counts, as a short table."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from letterpress.errors import NotEnoughDataError

Floats = NDArray[np.float64]
BINS = 40
"""Of about equal trials; a longer table would follow the noise."""


class RateTable(NamedTuple):
    """Rates `(k,)` at rising scores `(k,)`; between two of them it is a straight line."""

    scores: Floats
    rates: Floats


def isotonic_table(
    scores: NDArray[np.floating], hits: NDArray[np.number], trials: NDArray[np.number], *, bins: int = BINS
) -> RateTable:
    """The rising table nearest to what was counted (pool adjacent violators); equal scores share a bin.

    >>> table = isotonic_table(np.array([1.0, 2.0, 3.0]), np.array([5, 1, 9]), np.array([10, 10, 10]))
    >>> table.scores.tolist(), table.rates.tolist()
    ([1.5, 3.0], [0.3, 0.9])

    Raises:
        NotEnoughDataError: there are no trials.
    """
    tried = trials.astype(np.float64)
    if tried.sum() == 0:
        raise NotEnoughDataError("expected trials to tell rates by, found none; wait for more outcomes.")
    levels, places = np.unique(scores.astype(np.float64), return_inverse=True)
    tried_at = np.bincount(places, tried)
    middle = np.cumsum(tried_at) - tried_at / 2
    binned = np.minimum((middle * bins / tried_at.sum()).astype(np.int64), bins - 1)
    weights = np.bincount(binned, tried_at, bins)
    sums = (
        np.bincount(binned, levels * tried_at, bins),
        np.bincount(binned, np.bincount(places, hits.astype(np.float64)), bins),
    )
    some = weights > 0
    blocks: list[tuple[float, float, float]] = []
    for score, hit, weight in zip(sums[0][some], sums[1][some], weights[some], strict=True):
        blocks.append((score, hit, weight))
        while len(blocks) > 1 and blocks[-2][1] * blocks[-1][2] >= blocks[-1][1] * blocks[-2][2]:
            last, before = blocks.pop(), blocks.pop()
            blocks.append((before[0] + last[0], before[1] + last[1], before[2] + last[2]))
    pooled = np.array(blocks)
    return RateTable(pooled[:, 0] / pooled[:, 2], pooled[:, 1] / pooled[:, 2])
