"""How well scores tell hits from misses, and how far predicted rates can be believed.

Rows carry counts: `hits` of `trials`, so that a row of 30 clicks in 2,000 deliveries weighs what it should.
A single event is a row with one trial.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from letterpress.errors import NotEnoughDataError

Floats = NDArray[np.float64]


def _counts(
    values: NDArray[np.floating], hits: NDArray[np.number], trials: NDArray[np.number] | None
) -> tuple[Floats, Floats, Floats]:
    exact, hit = values.astype(np.float64), hits.astype(np.float64)
    tried = np.ones(len(hit)) if trials is None else trials.astype(np.float64)
    if not len(exact) == len(hit) == len(tried):
        raise ValueError(f"expected arrays of one length, found {len(exact)}, {len(hit)} and {len(tried)}")
    if np.isnan(exact).any():
        raise ValueError(f"expected a value in every row, found {int(np.isnan(exact).sum())} NaN")
    if not ((hit >= 0) & (hit <= tried) & np.isfinite(tried)).all():
        raise ValueError("expected hits between zero and their trials in every row")
    return exact, hit, tried


def _require_trials(trials: Floats) -> None:
    if trials.sum() == 0:
        raise NotEnoughDataError("expected trials to measure on, found none; wait for more outcomes.")


def _rates(predicted: Floats) -> Floats:
    if ((predicted < 0) | (predicted > 1)).any():
        raise ValueError("expected predicted rates in 0..1")
    return predicted


def auc(
    scores: NDArray[np.floating], hits: NDArray[np.number], trials: NDArray[np.number] | None = None
) -> float:
    """Probability that a random hit scores above a random miss; ties count one half.

    >>> auc(np.array([0.9, 0.4, 0.4, 0.1]), np.array([1, 1, 0, 0]))
    0.875

    Raises:
        NotEnoughDataError: there are no hits, or no misses.
        ValueError: a score is NaN, or hits exceed their trials.
    """
    exact, hit, tried = _counts(scores, hits, trials)
    miss = tried - hit
    if hit.sum() == 0 or miss.sum() == 0:
        raise NotEnoughDataError(
            f"expected hits and misses to tell apart, found {hit.sum():g} and {miss.sum():g}; "
            "wait for more outcomes."
        )
    _, levels = np.unique(exact, return_inverse=True)
    hits_at, misses_at = np.bincount(levels, hit), np.bincount(levels, miss)
    below = np.cumsum(misses_at) - misses_at
    return float((hits_at * (below + misses_at / 2)).sum() / (hit.sum() * miss.sum()))


def log_loss(
    predicted: NDArray[np.floating], hits: NDArray[np.number], trials: NDArray[np.number] | None = None
) -> float:
    """Mean negative log likelihood of a trial in nats; infinite where the impossible happened.

    >>> round(log_loss(np.array([0.8, 0.2]), np.array([1, 0])), 4)
    0.2231

    Raises:
        NotEnoughDataError: there are no trials.
        ValueError: a prediction outside 0..1, or hits that exceed their trials.
    """
    exact, hit, tried = _counts(predicted, hits, trials)
    _require_trials(tried)
    rates = _rates(exact)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_hits = np.where(hit > 0, hit * np.log(rates), 0.0)
        of_misses = np.where(tried > hit, (tried - hit) * np.log1p(-rates), 0.0)
    return float(-(of_hits + of_misses).sum() / tried.sum())


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was predicted against what happened, in bins of about equal trials, all `(n_bins,)`."""

    predicted: Floats
    observed: Floats
    trials: Floats

    @property
    def error(self) -> float:
        """Mean distance between predicted and observed rate over trials (expected calibration error)."""
        return float((np.abs(self.predicted - self.observed) * self.trials).sum() / self.trials.sum())

    @property
    def relative_error(self) -> float:
        """The same as a share of the observed rate; infinite when nothing happened."""
        happened = float((self.observed * self.trials).sum() / self.trials.sum())
        return self.error / happened if happened else float("inf")


def calibration(
    predicted: NDArray[np.floating],
    hits: NDArray[np.number],
    trials: NDArray[np.number] | None = None,
    *,
    bins: int = 10,
) -> Calibration:
    """Predicted and observed rates by bins of predicted rate; equal predictions never fall into two bins.

    >>> found = calibration(np.array([0.1, 0.1, 0.6, 0.6]), np.array([0, 0, 1, 0]), bins=2)
    >>> found.observed, round(found.error, 4)
    (array([0. , 0.5]), 0.1)

    Raises:
        NotEnoughDataError: there are no trials.
        ValueError: a prediction outside 0..1, hits that exceed their trials, or fewer bins than one.
    """
    exact, hit, tried = _counts(predicted, hits, trials)
    _require_trials(tried)
    if bins < 1:
        raise ValueError(f"expected at least 1 bin, found {bins}")
    rates, levels = np.unique(_rates(exact), return_inverse=True)
    tried_at, hit_at = np.bincount(levels, tried), np.bincount(levels, hit)
    middle = np.cumsum(tried_at) - tried_at / 2
    places = np.minimum((middle * bins / tried_at.sum()).astype(np.int64), bins - 1)
    per_bin = np.bincount(places, tried_at, bins)
    some = per_bin > 0
    return Calibration(
        predicted=np.bincount(places, rates * tried_at, bins)[some] / per_bin[some],
        observed=np.bincount(places, hit_at, bins)[some] / per_bin[some],
        trials=per_bin[some],
    )
