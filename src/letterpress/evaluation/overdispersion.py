"""How far true rates lie from their prediction: the spread of counts beside that of counting.

Spreads are variances of log odds. They are what an interval of a predicted rate is made of.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TYPICAL_SPREAD, TYPICAL_FADING = 0.05, 0.25
_SPREAD_DOUBT, _FADING_DOUBT = 0.7, 0.25
"""Standard deviations of what is believed before counting: of the spread's logarithm, and of its fading."""
MOST_ROWS = 60_000
SMALLEST = 1e-4


def faded_spread(spread: float, fading: float, evidence: Floats, weight: float) -> Floats:
    """Spreads `(n,)` of items of which `evidence` was counted: `spread` where there is none.

    >>> faded_spread(0.04, 1.0, np.array([0.0, 2000.0]), 2000.0).tolist()
    [0.04, 0.02]
    """
    return np.asarray(spread * (weight / (evidence + weight)) ** fading, np.float64)


def fit_faded_spread(
    predicted: Floats, hits: Floats, trials: Floats, evidence: Floats, weight: float
) -> tuple[float, float]:
    """Spread without evidence, and the power by which evidence lets it fade, by maximum likelihood.

    Counts `(n,)` are taken as beta-binomial about `predicted`. At most 60,000 rows are looked at, evenly.
    """
    from scipy.optimize import minimize
    from scipy.special import betaln

    step = -(-len(hits) // MOST_ROWS)
    rates, hit, tried = (each[::step] for each in (np.clip(predicted, 1e-9, 1 - 1e-9), hits, trials))
    fades = np.log(weight / (evidence[::step] + weight))
    believed = np.array([np.log(TYPICAL_SPREAD), TYPICAL_FADING])
    doubts = np.array([_SPREAD_DOUBT, _FADING_DOUBT])

    def loss(chosen: Floats) -> float:
        spreads = np.clip(np.exp(chosen[0] + chosen[1] * fades), 1e-9, 1e9)
        strength = 1.0 / (spreads * rates * (1 - rates))
        alpha, beta = rates * strength, (1 - rates) * strength
        likelihood = (betaln(hit + alpha, tried - hit + beta) - betaln(alpha, beta)).sum()
        return float(-likelihood + 0.5 * (((chosen - believed) / doubts) ** 2).sum())

    tolerances = {"xatol": 1e-4, "fatol": 1e-4, "maxiter": 400}
    found = minimize(loss, believed, method="Nelder-Mead", options=tolerances).x
    return max(float(np.exp(found[0])), SMALLEST), max(float(found[1]), 0.0)
