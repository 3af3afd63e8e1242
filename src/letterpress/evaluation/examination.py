"""How much less a lower position is looked at, estimated from the log's own randomness.

A champion that orders the slates puts what it likes where it is seen, so raw labels praise it. A gain at
position p is worth `p ** power` when p is examined with probability `p ** -power` (Joachims, Swaminathan
and Schnabel, 2017); `power` is estimated from labels weighted by one over the logged propensity, which
makes every item equally likely at every position (Agarwal et al., 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from letterpress.errors import NotEnoughDataError

Floats = NDArray[np.float64]
BLOCKS = 20
FEWEST_POSITIONS = 3


@dataclass(frozen=True, slots=True)
class Examination:
    """`examined(p) = p ** -power`, with the 95 % interval of `power` (0 to 2)."""

    power: float
    low: float
    high: float

    def weights(self, positions: NDArray[np.integer], *, power: float | None = None) -> Floats:
        """What a gain `(n,)` at each position (from 1) is worth: one over its examination.

        >>> Examination(0.5, 0.4, 0.6).weights(np.array([1, 4])).tolist()
        [1.0, 2.0]
        """
        chosen = self.power if power is None else power
        return np.asarray(positions.astype(np.float64) ** chosen, dtype=np.float64)

    def as_numbers(self) -> dict[str, float]:
        return {"power": self.power, "low": self.low, "high": self.high}


def ordered_share(propensities: NDArray[np.floating], group_offsets: NDArray[np.int64]) -> float:
    """Share of slates that some policy ordered: their items had unequal chances of their places.

    >>> ordered_share(np.array([0.5, 0.5, 0.9, 0.1]), np.array([0, 2, 4]))
    0.5
    """
    filled = np.nan_to_num(propensities.astype(np.float64), nan=0.0)
    some = np.flatnonzero(np.diff(group_offsets) > 0)
    if not len(some):
        return 0.0
    starts = group_offsets[:-1][some]
    spread = np.maximum.reduceat(filled, starts) - np.minimum.reduceat(filled, starts)
    return float(np.mean(spread > 1e-9))


def unknown_share(propensities: NDArray[np.floating], group_offsets: NDArray[np.int64]) -> float:
    """Share of slates that say of no item how likely its place was, so that nobody knows who ordered them.

    >>> unknown_share(np.array([0.5, 0.5, np.nan, 0.0]), np.array([0, 2, 4]))
    0.5
    """
    starts = group_offsets[:-1][np.diff(group_offsets) > 0]
    if not len(starts):
        return 0.0
    return float(np.mean(~np.logical_or.reduceat((propensities > 0) & (propensities <= 1), starts)))


def estimate_examination(
    gains: NDArray[np.floating],
    positions: NDArray[np.integer],
    propensities: NDArray[np.floating],
    clusters: NDArray[np.integer],
) -> Examination:
    """The power of examination in rows `(n,)`, with an interval by leaving out a twentieth of the clusters.

    Rows without a propensity are left out.

    Raises:
        NotEnoughDataError: fewer than three positions have gains, or there are fewer than 20 clusters.
    """
    usable = (propensities > 0) & (propensities <= 1)
    exact = gains[usable].astype(np.float64)
    weights = 1.0 / propensities[usable].astype(np.float64)
    _, codes = np.unique(clusters[usable], return_inverse=True)
    n_positions = int(positions[usable].max(initial=0)) + 1
    cells = (codes % BLOCKS) * n_positions + positions[usable]
    size = BLOCKS * n_positions
    gained = np.bincount(cells, weights * exact, size).reshape(BLOCKS, n_positions)
    shown = np.bincount(cells, weights, size).reshape(BLOCKS, n_positions)
    squares = np.bincount(cells, (weights * exact) ** 2, size).reshape(BLOCKS, n_positions).sum(axis=0)
    known = np.flatnonzero((gained > 0).sum(axis=0) > 1)
    if len(known) < FEWEST_POSITIONS or codes.max(initial=0) + 1 < BLOCKS:
        raise NotEnoughDataError(
            f"expected gains with propensities at {FEWEST_POSITIONS} positions or more of {BLOCKS} campaigns "
            f"or more, found {len(known)} positions; log propensities, or let more of the traffic explore."
        )
    gained, shown = gained[:, known], shown[:, known]
    evidence = gained.sum(axis=0) ** 2 / squares[known]

    def fit(top: Floats, bottom: Floats) -> float:
        slope = np.polyfit(np.log(known), np.log(top / bottom), 1, w=np.sqrt(evidence))[0]
        return float(np.clip(-slope, 0.0, 2.0))

    left_out = np.array(
        [fit(gained.sum(axis=0) - gained[block], shown.sum(axis=0) - shown[block]) for block in range(BLOCKS)]
    )
    power = fit(gained.sum(axis=0), shown.sum(axis=0))
    error = float(np.sqrt((BLOCKS - 1) / BLOCKS * ((left_out - left_out.mean()) ** 2).sum()))
    return Examination(power, max(power - 2 * error, 0.0), power + 2 * error)
