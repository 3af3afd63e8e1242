"""How fast data becomes obsolete: the half-life of what a model learns from it.

A model that was trained on one window of time is measured on a later one; how much of it still holds falls
with the age between the two. Only pairs of different windows are compared, so the noise of a window
cancels, and all pairs are used, not just those with the newest window: one path of a drifting world says
little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from letterpress.errors import NotEnoughDataError
from letterpress.evaluation.groups import groups_of_rows

Floats = NDArray[np.float64]
BLOCKS = 10
FEWEST_WINDOWS = 6
LONGEST = 64.0
"""Half-lives above so many times the length of the log are not told from no decay at all."""


@dataclass(frozen=True, slots=True)
class HalfLife:
    """Windows after which half of what was learnt still holds, with a 95 % interval; infinite: no decay."""

    windows: float
    low: float
    high: float

    def weights(self, ages: Floats) -> Floats:
        """What rows of each age `(n,)`, in windows, are worth beside the newest; the score in 0..1.

        >>> HalfLife(10.0, 8.0, 13.0).weights(np.array([0.0, 10.0, 20.0])).tolist()
        [1.0, 0.5, 0.25]
        """
        return np.asarray(np.exp2(-ages / self.windows), dtype=np.float64)

    def look_back(self, *, share: float = 0.1) -> float:
        """The age at which a row is worth `share` of a new one: older ones can be left out.

        >>> round(HalfLife(10.0, 8.0, 13.0).look_back(), 1)
        33.2
        """
        return self.windows * math.log2(1.0 / share)

    def as_numbers(self) -> dict[str, float | None]:
        """Numbers for JSON; None where there is no decay."""
        numbers = {"windows": self.windows, "low": self.low, "high": self.high}
        return {name: value if math.isfinite(value) else None for name, value in numbers.items()}


def associations(
    features: NDArray[np.floating],
    gains: NDArray[np.floating],
    group_offsets: NDArray[np.int64],
    windows: NDArray[np.integer],
) -> Floats:
    """Slope `(n_windows, n_features)` of gains on each standardised feature, within slates and windows.

    `features` is `(n, n_features)`, `windows` `(n_groups,)` counts from zero, oldest first. A missing value
    and a feature that is constant in its slate say nothing.
    """
    groups = groups_of_rows(group_offsets)
    rows_of = windows[groups]
    n_windows = int(windows.max()) + 1
    centred_gains = _centred(gains.astype(np.float64), groups, len(windows))
    slopes = np.zeros((n_windows, features.shape[1]))
    for place in range(features.shape[1]):
        centred = _centred(features[:, place].astype(np.float64), groups, len(windows))
        spread = float(np.sqrt((centred**2).mean()))
        tops = np.bincount(rows_of, centred * centred_gains, n_windows)
        squares = np.bincount(rows_of, centred**2, n_windows)
        slopes[:, place] = spread * np.divide(tops, squares, out=np.zeros(n_windows), where=squares > 0)
    return slopes


def _centred(values: Floats, groups: NDArray[np.int64], n_groups: int) -> Floats:
    """Values less the mean of their slate; 0 where missing."""
    known = np.isfinite(values)
    filled = np.where(known, values, 0.0)
    counts = np.maximum(np.bincount(groups, known, n_groups), 1.0)
    means = np.bincount(groups, filled, n_groups) / counts
    return np.where(known, filled - means[groups], 0.0)


def transfers(slopes: Floats) -> Floats:
    """What a linear model of each window gains in each other one, `(n_windows, n_windows)`."""
    return np.asarray(slopes @ slopes.T, dtype=np.float64)


def half_life_of(transfer: Floats) -> HalfLife:
    """The half-life of `transfer[i, j]`: what a model of window i gains in window j.

    Fitted by least squares of `c * 2 ** (-lag / half_life)` to the mean of each lag, up to half the log,
    weighted by the number of pairs; the interval leaves a tenth of the windows out at a time.

    Raises:
        NotEnoughDataError: fewer than six windows, or nothing that one window learns holds in the next.
    """
    n_windows = len(transfer)
    if n_windows < FEWEST_WINDOWS:
        raise NotEnoughDataError(
            f"expected at least {FEWEST_WINDOWS} windows of time to see data age, found {n_windows}; "
            "take shorter windows or a longer log."
        )
    windows = np.arange(n_windows)
    best = _fit(transfer, windows)
    if best is None:
        raise NotEnoughDataError(
            "expected what one window teaches to hold in the next, found no gain there; the features say "
            "nothing of the target, or windows are longer than what they teach."
        )
    blocks = windows * BLOCKS // n_windows
    fits = (_fit(transfer, windows[blocks != block]) for block in np.unique(blocks))
    logs = np.log([each for each in fits if each is not None and math.isfinite(each)])
    if not math.isfinite(best) or len(logs) < 2:
        return HalfLife(best, float(np.exp(logs.min())) if len(logs) else best, math.inf)
    error = math.sqrt((len(logs) - 1) / len(logs) * float(((logs - logs.mean()) ** 2).sum()))
    return HalfLife(best, best * math.exp(-1.96 * error), best * math.exp(1.96 * error))


def _fit(transfer: Floats, chosen: NDArray[np.int64]) -> float | None:
    """The half-life over pairs of `chosen` windows; infinite without decay, None without any gain."""
    lags = np.abs(chosen[:, None] - chosen[None, :])
    inside = (lags > 0) & (lags <= max(len(transfer) // 2, 2))
    values = transfer[np.ix_(chosen, chosen)][inside]
    pairs = np.bincount(lags[inside])
    means = np.bincount(lags[inside], values) / np.maximum(pairs, 1)
    known = np.flatnonzero(pairs)
    longest = LONGEST * len(transfer)
    candidates = np.geomspace(0.25, longest, 400)
    shapes = np.exp2(-known[None, :] / candidates[:, None])
    weights = pairs[known]
    scales = (shapes * means[known] * weights).sum(axis=1) / (shapes**2 * weights).sum(axis=1)
    errors = ((means[known] - scales[:, None] * shapes) ** 2 * weights).sum(axis=1)
    best = int(errors.argmin())
    if scales[best] <= 0:
        return None
    return math.inf if best == len(candidates) - 1 else float(candidates[best])


def half_lives_by_feature(slopes: Floats) -> list[HalfLife | None]:
    """The half-life of each feature's own slope `(n_windows, n_features)`; None where it teaches nothing.

    One feature is one path: intervals are wide, and that is what is known.
    """
    found: list[HalfLife | None] = []
    for slope in slopes.T:
        try:
            found.append(half_life_of(np.outer(slope, slope)))
        except NotEnoughDataError:
            found.append(None)
    return found
