"""Rates with intervals of the items that are shown: some microseconds a slate, compiled."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from letterpress.evaluation.repeated_rows import PROBIT_SCALE
from letterpress.machine_code import compile_loop
from letterpress.ranking.calibration import Calibration, TargetRates

Floats = NDArray[np.float64]

QUANTILE = 1.959963984540054
"""Of the normal distribution: 95 % lie within as many standard deviations."""
RATE, LOW, HIGH = range(3)
_NEAR_ZERO = 1e-9


def _fill_rates(  # noqa: PLR0913, PLR0917  # flat arguments are what the compiler makes fast
    scores: Floats,
    relative: Floats,
    features: NDArray[np.float32],
    positions: Floats,
    columns: NDArray[np.int64],
    level_columns: NDArray[np.int64],
    level_counts: NDArray[np.int64],
    level_widths: Floats,
    centres: Floats,
    knots: Floats,
    levels: Floats,
    lengths: NDArray[np.int64],
    is_relative: NDArray[np.bool_],
    looking: Floats,
    weights: Floats,
    covariances: Floats,
    spreads: Floats,
    fadings: Floats,
    evidence: NDArray[np.int64],
    evidence_weights: Floats,
    out: Floats,
) -> None:
    """Write rate, low and high of every row and target to `out` `(n, n_targets, 3)`."""
    n_rows, n_rates, n_levels = scores.shape[0], columns.shape[0], level_columns.shape[0]
    # What is not zero: values, and whose they are.
    inputs, owners = np.ones(n_rates + 3 + n_levels), np.arange(n_rates + 3 + n_levels)
    for row in range(n_rows):
        inputs[2 + n_rates] = math.log(positions[row])
        n_active, offset = n_rates + 3, n_rates + 3
        for at in range(n_levels):
            level = features[row, level_columns[at]] / level_widths[at]
            if level >= 0.0 and level < level_counts[at]:  # never of NaN
                owners[n_active] = offset + int(level)
                n_active += 1
            offset += level_counts[at]
        for at in range(n_rates):
            counted_rate = np.float64(features[row, columns[at]])
            known = min(max(counted_rate, _NEAR_ZERO), 1.0 - _NEAR_ZERO)
            away = math.log(known / (1.0 - known)) - centres[at]
            inputs[2 + at] = 0.0 if math.isnan(counted_rate) else away
        for target in range(weights.shape[0]):
            score = relative[row] if is_relative[target] else scores[row]
            place = np.searchsorted(knots[target, : lengths[target]], score)
            place = min(max(place, 1), lengths[target] - 1)
            left, right = knots[target, place - 1], knots[target, place]
            share = min(max((score - left) / (right - left), 0.0), 1.0)
            inputs[1] = levels[target, place - 1] * (1.0 - share) + levels[target, place] * share
            middle, doubt = 0.0, 0.0
            for one in range(n_active):
                middle += weights[target, owners[one]] * inputs[one]
                shared = 0.5 * covariances[target, owners[one], owners[one]] * inputs[one]
                for other in range(one):  # what two inputs share counts twice, and is the same both ways
                    shared += covariances[target, owners[one], owners[other]] * inputs[other]
                doubt += 2.0 * shared * inputs[one]
            counted = 0.0 if evidence[target] < 0 else np.float64(features[row, evidence[target]])
            counted = 0.0 if math.isnan(counted) else counted
            weight = evidence_weights[target]
            spread = spreads[target] * (weight / (counted + weight)) ** fadings[target]
            variance = spread + max(doubt, 0.0)
            # The sum gives the mean rate. Where log odds spread evenly, their middle is not its log odds.
            rate = 1.0 / (1.0 + math.exp(-middle))
            looked = 1.0
            if looking[target] >= 0.0:
                looked = math.exp(-looking[target] * inputs[2 + n_rates])
                middle *= math.sqrt(1.0 + PROBIT_SCALE * variance)
            else:
                middle -= variance * (0.5 - rate)
            reach = QUANTILE * math.sqrt(variance)
            out[row, target, 0] = looked * rate
            out[row, target, 1] = looked / (1.0 + math.exp(reach - middle))
            out[row, target, 2] = looked / (1.0 + math.exp(-reach - middle))


class RatePredictor:
    """Predicts by a calibration for features in a model's order."""

    def __init__(
        self, calibration: Calibration, features: tuple[str, ...], cache_folder: Path | None = None
    ) -> None:
        at = {name: column for column, name in enumerate(features)}
        targets = calibration.targets
        self.targets = tuple(each.target for each in targets)
        tables = [_with_two(each) for each in targets]
        longest = max(len(scores) for scores, _ in tables)
        self._columns = np.array([at[name] for name in calibration.rates], np.int64)
        self._level_columns = np.array([at[each.feature] for each in calibration.levels], np.int64)
        self._level_counts = np.array([each.count for each in calibration.levels], np.int64)
        self._level_widths = np.array([each.width for each in calibration.levels], np.float64)
        self._centres = np.array(calibration.centres, np.float64)
        self._knots = np.array([_padded(scores, longest) for scores, _ in tables])
        self._levels = np.array([_padded(levels, longest) for _, levels in tables])
        self._lengths = np.array([len(scores) for scores, _ in tables], np.int64)
        self._is_relative = np.array([each.is_relative for each in targets], np.bool_)
        self._looking = np.array([-1.0 if each.looking is None else each.looking for each in targets])
        self._weights = np.array([each.weights for each in targets], np.float64)
        self._covariances = np.array([each.covariance for each in targets], np.float64)
        self._spread = np.array([each.spread for each in targets], np.float64)
        self._fading = np.array([each.fading for each in targets], np.float64)
        self._evidence = np.array([at.get(each.evidence or "", -1) for each in targets], np.int64)
        self._evidence_weight = np.array([each.evidence_weight for each in targets], np.float64)
        self._fill = compile_loop(_fill_rates, _try_fill, cache_folder)

    def predict(
        self, scores: Floats, relative: Floats, features: NDArray[np.float32], positions: Floats
    ) -> Floats:
        """Rate, low and high `(n, n_targets, 3)` of items.

        `relative` are scores less the mean of their slate; `features` `(n, n_features)` are C-contiguous;
        positions count from 1.
        """
        out = np.empty((len(scores), len(self.targets), 3))
        self._fill(
            scores,
            relative,
            features,
            positions,
            self._columns,
            self._level_columns,
            self._level_counts,
            self._level_widths,
            self._centres,
            self._knots,
            self._levels,
            self._lengths,
            self._is_relative,
            self._looking,
            self._weights,
            self._covariances,
            self._spread,
            self._fading,
            self._evidence,
            self._evidence_weight,
            out,
        )
        return out


def known_scores(scores: Floats) -> Floats:
    """Scores `(n,)` where what has none (of which nothing is known) counts as the lowest of the others.

    >>> known_scores(np.array([0.2, -np.inf, 0.7])).tolist()
    [0.2, 0.2, 0.7]
    """
    finite = np.isfinite(scores)
    if finite.all():
        return scores
    return np.where(finite, scores, scores[finite].min() if finite.any() else 0.0)


def _with_two(rates: TargetRates) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The table of a target, which needs two scores to lie between."""
    if len(rates.scores) > 1:
        return rates.scores, rates.log_odds
    return (rates.scores[0], rates.scores[0] + 1.0), rates.log_odds * 2


def _padded(values: tuple[float, ...], length: int) -> list[float]:
    return [*values, *[values[-1]] * (length - len(values))]


def _try_fill(fill: Callable[..., None]) -> None:
    one = np.ones(1)
    fill(
        one,
        one,
        np.ones((1, 1), np.float32),
        one,
        np.zeros(1, np.int64),
        np.zeros(1, np.int64),
        np.ones(1, np.int64),
        one,
        one,
        np.arange(2.0)[None],
        np.zeros((1, 2)),
        np.full(1, 2),
        np.zeros(1, np.bool_),
        one,
        np.ones((1, 5)),
        np.ones((1, 5, 5)),
        one,
        one,
        np.zeros(1, np.int64),
        one,
        np.empty((1, 1, 3)),
    )
