"""How fast data becomes obsolete: the half-life of what a model learns from it.

What a feature is worth follows a path through time. The slope of gains on it, window by window, is that path
and noise; the half-life is the age at which two points of the path correlate by half. It is fitted by
likelihood: paths of all features are Gaussian with covariance `q * 2 ** (-age / half_life)` and `1 - q` of
noise. Features that say the same would count twice, so the overall fit is of what each adds to the others.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from letterpress.errors import NotEnoughDataError

Floats = NDArray[np.float64]
FEWEST_WINDOWS = 6
LONGEST = 64.0
"""Half-lives above so many times the length of the log are not told from no decay at all."""
CANDIDATES = 120
_SHARES = np.linspace(0.02, 0.999, 40)[:, None]
"""How much of the slopes of a window is path rather than noise."""
_HALF_OF_CHI = 1.92
"""A loss in log likelihood that happens by chance in 5 % of cases."""


@dataclass(frozen=True, slots=True)
class HalfLife:
    """Days after which half of what was learnt still holds, with a 95 % interval; infinite: no decay."""

    days: float
    low: float
    high: float

    @property
    def is_demonstrated(self) -> bool:
        """Whether no decay at all lies outside of the interval."""
        return math.isfinite(self.high)

    def weights(self, ages: Floats) -> Floats:
        """What rows of each age `(n,)`, in days, are worth beside the newest; the score in 0..1.

        Ones where decay is not demonstrated.

        >>> HalfLife(10.0, 8.0, 13.0).weights(np.array([0.0, 10.0, 20.0])).tolist()
        [1.0, 0.5, 0.25]
        >>> HalfLife(10.0, 2.0, np.inf).weights(np.array([0.0, 10.0])).tolist()
        [1.0, 1.0]
        """
        if not self.is_demonstrated:
            return np.ones(len(ages))
        return np.asarray(np.exp2(-ages / self.days), dtype=np.float64)

    def look_back(self, *, share: float = 0.1) -> float:
        """The age in days at which a row is worth `share` of a new one; infinite without decay.

        >>> round(HalfLife(10.0, 8.0, 13.0).look_back(), 1)
        33.2
        """
        return self.days * math.log2(1.0 / share) if self.is_demonstrated else math.inf

    def as_numbers(self) -> dict[str, float | bool | None]:
        """Numbers for JSON; None where there is no bound."""
        numbers = {"days": self.days, "low": self.low, "high": self.high}
        finite = {name: round(value, 4) if math.isfinite(value) else None for name, value in numbers.items()}
        return {**finite, "is_demonstrated": self.is_demonstrated}


def half_life_of(slopes: Floats, times: Floats) -> HalfLife:
    """The half-life of paths `(n_windows, n_paths)` seen at `times` `(n_windows,)` in days, oldest first.

    Raises:
        NotEnoughDataError: fewer than six windows, or what one window teaches does not hold in any other.
    """
    if len(slopes) < FEWEST_WINDOWS:
        raise NotEnoughDataError(
            f"expected at least {FEWEST_WINDOWS} windows of time to see data age, found {len(slopes)}; "
            "take shorter windows or a longer log."
        )
    slopes = slopes[:, (slopes != 0.0).any(axis=0)]
    found = _fit(slopes, _shapes(tuple(times.tolist()))) if slopes.size else None
    if found is None:
        raise NotEnoughDataError(
            "expected what one window teaches to hold in others, found no such thing; the features say "
            "nothing of the target, or windows are longer than what they teach."
        )
    return found


class _Shape(NamedTuple):
    """The correlation of times under one half-life, decomposed."""

    days: float
    values: Floats
    directions: Floats


def _fit(slopes: Floats, shapes: tuple[_Shape, ...]) -> HalfLife | None:
    """The likeliest half-life with its interval; None where noise alone is as likely."""
    energies = np.stack([(each.directions.T @ slopes) ** 2 for each in shapes])
    likelihoods = np.array([_likelihood(each, energy) for each, energy in zip(shapes, energies, strict=True)])
    best = int(likelihoods.argmax())
    if likelihoods[best] - _likelihood_of_noise(slopes) < _HALF_OF_CHI:
        return None
    bar = likelihoods[best] - _HALF_OF_CHI * _heaviness(shapes, energies, likelihoods)
    days = np.array([each.days for each in shapes])
    inside = np.flatnonzero(likelihoods >= bar)
    low = _crossing(days, likelihoods, bar, int(inside[0]), -1)
    high = _crossing(days, likelihoods, bar, int(inside[-1]), 1)
    return HalfLife(_peak(days, likelihoods, best), low, high)


@lru_cache(maxsize=4)
def _shapes(times: tuple[float, ...]) -> tuple[_Shape, ...]:
    """One shape for each candidate, the last without decay."""
    moments = np.array(times)
    lags = np.abs(moments[:, None] - moments[None, :])
    span = float(lags.max()) or 1.0
    shortest = span / len(times) / 2.0
    candidates = (*np.geomspace(shortest, LONGEST * span, CANDIDATES - 1), np.inf)
    with threadpool_limits(1, user_api="blas"):  # for matrices so small, threads cost more than they do
        solved = [np.linalg.eigh(np.exp2(-lags / days)) for days in candidates]
    return tuple(
        _Shape(float(days), np.maximum(values, 0.0), directions)
        for days, (values, directions) in zip(candidates, solved, strict=True)
    )


def _likelihood(shape: _Shape, energy: Floats) -> float:
    """The log likelihood of `energy` `(n_windows, n_paths)` along the directions, at the best share."""
    variances = _SHARES * shape.values + (1.0 - _SHARES)
    n, paths = energy.shape
    scale = (energy.sum(axis=1) / variances).sum(axis=1) / (n * paths)
    with np.errstate(divide="ignore"):
        whole = -0.5 * n * paths * np.log(scale) - 0.5 * paths * np.log(variances).sum(axis=1)
    return float(whole.max())


def _likelihood_of_noise(slopes: Floats) -> float:
    with np.errstate(divide="ignore"):
        return float(-0.5 * slopes.size * np.log((slopes**2).mean()))


def _heaviness(shapes: tuple[_Shape, ...], energies: Floats, likelihoods: Floats) -> float:
    """How much more than the likelihood thinks paths differ in what they say of the half-life; at least 1.

    Some paths carry far more than others; the likelihood believes that all carry alike (White, 1982). Where
    few carry nearly all, their differences are themselves hardly known, as Student's t says.
    """
    best = min(max(int(likelihoods.argmax()), 1), len(shapes) - 3)
    around = [shapes[best - 1], shapes[best], shapes[best + 1]]
    each = np.stack([_by_path(shape, energies[best - 1 + at]) for at, shape in enumerate(around)])
    score = (each[2] - each[0]) / 2.0
    bends = each[0] - 2 * each[1] + each[2]
    if bends.sum() >= 0 or len(score) < 2:
        return 1.0
    spread = float(((score - score.mean()) ** 2).sum()) * len(score) / (len(score) - 1)
    carrying = float(np.abs(bends).sum() ** 2 / (bends**2).sum())
    return max(1.0, spread / -float(bends.sum())) * _student_factor(carrying - 1.0)


def _student_factor(freedom: float) -> float:
    """Student's t over the normal at 95 %, squared; by the first terms of its expansion.

    >>> round(_student_factor(10.0), 2)  # 2.228 over 1.960, squared
    1.29
    """
    inverse = 1.0 / max(freedom, 1.0)
    return ((1.96 + 2.372 * inverse + 2.823 * inverse**2) / 1.96) ** 2


def _by_path(shape: _Shape, energy: Floats) -> Floats:
    """The log likelihood of each path `(n_paths,)` at the share that suits all of them."""
    variances = _SHARES * shape.values + (1.0 - _SHARES)
    n, paths = energy.shape
    scale = (energy.sum(axis=1) / variances).sum(axis=1) / (n * paths)
    whole = -n * paths * np.log(scale) - paths * np.log(variances).sum(axis=1)
    best = int(whole.argmax())
    chosen = scale[best] * variances[best]
    return np.asarray(-0.5 * (energy / chosen[:, None]).sum(axis=0) - 0.5 * np.log(chosen).sum(), np.float64)


def _crossing(days: Floats, likelihoods: Floats, bar: float, place: int, step: int) -> float:
    """Where the likelihood falls to `bar` beyond `place`, on a logarithmic scale of days.

    The shortest candidate where it does not fall before; infinite where it does not before the longest.
    """
    beyond = place + step
    if beyond < 0:
        return float(days[place])
    if beyond >= len(days) - 1:
        return math.inf
    if not math.isfinite(days[place]):
        return float(days[beyond])
    inner, outer = likelihoods[place], likelihoods[beyond]
    share = (inner - bar) / (inner - outer) if inner > outer else 0.0
    return float(days[place] * (days[beyond] / days[place]) ** min(max(share, 0.0), 1.0))


def _peak(days: Floats, likelihoods: Floats, best: int) -> float:
    """The candidate at `best`, moved to the top of a parabola through its neighbours."""
    if best in (0, len(days) - 1) or not math.isfinite(days[best + 1]):
        return float(days[best])
    left, middle, right = likelihoods[best - 1 : best + 2]
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float(days[best] * (days[best + 1] / days[best]) ** float(np.clip(shift, -0.5, 0.5)))


def half_lives_by_feature(slopes: Floats, times: Floats) -> list[HalfLife | None]:
    """The half-life of each feature's own slope `(n_windows, n_features)`; None where it teaches nothing.

    One feature is one path: intervals are wide, and that is what is known.
    """
    found: list[HalfLife | None] = []
    for slope in slopes.T:
        try:
            found.append(half_life_of(slope[:, None], times))
        except NotEnoughDataError:
            found.append(None)
    return found
