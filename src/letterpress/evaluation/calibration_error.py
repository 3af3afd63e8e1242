"""How far predicted rates are from what happened, with an interval by resampling whole clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from letterpress.evaluation.classification import Calibration, calibration

Floats = NDArray[np.float64]
ROUNDS = 500


@dataclass(frozen=True, slots=True)
class CalibrationError:
    """The mean distance of predicted and observed rates over trials, as a share of the observed rate."""

    relative: float
    low: float
    high: float
    bins: Calibration

    def as_numbers(self) -> dict[str, object]:
        return {
            "relative_error": self.relative,
            "low": self.low,
            "high": self.high,
            "predicted": self.bins.predicted.tolist(),
            "observed": self.bins.observed.tolist(),
            "trials": self.bins.trials.tolist(),
        }


def measure_calibration(  # counts, their clusters, and how to resample them
    predicted: Floats,
    hits: NDArray[np.number],
    trials: NDArray[np.number],
    clusters: NDArray[np.integer],
    *,
    seed: int,
    rounds: int = ROUNDS,
) -> CalibrationError:
    """The calibration error of rows `(n,)` with its 95 % interval, in ten bins of about equal trials.

    Counting alone makes an error above zero, and resampling adds as much again; twice the estimate less the
    bounds takes that off, so the interval may lie below the estimate. It never goes below zero.

    Raises:
        NotEnoughDataError: there are no trials. ValueError: as `calibration`.
    """
    whole = calibration(predicted, hits, trials)
    edges = (whole.predicted[1:] + whole.predicted[:-1]) / 2
    bins = np.searchsorted(edges, predicted)
    _, codes = np.unique(clusters, return_inverse=True)
    n_bins, n_clusters = len(whole.predicted), int(codes.max()) + 1
    cells = codes * n_bins + bins

    def by_cluster(values: NDArray[np.number]) -> Floats:
        return np.bincount(cells, values.astype(np.float64), n_clusters * n_bins).reshape(n_clusters, n_bins)

    away, happened = by_cluster(predicted * trials - hits), by_cluster(hits).sum(axis=1)
    random = np.random.default_rng(seed)
    errors = np.empty(rounds)
    for each in range(rounds):
        drawn = np.bincount(random.integers(0, n_clusters, n_clusters), minlength=n_clusters)
        errors[each] = np.abs(drawn @ away).sum() / max(float(drawn @ happened), 1e-12)
    relative = whole.relative_error
    below, above = np.quantile(errors, [0.025, 0.975])
    low, high = 2 * relative - float(above), 2 * relative - float(below)
    return CalibrationError(relative, max(low, 0.0), max(high, 0.0), whole)
