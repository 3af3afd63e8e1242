"""The value of a policy from whole slates: what the user did at a position decides which weights count.

Three structures of behaviour, from the weakest assumption to the strongest:

- `standard`: a reward depends on the whole slate (Swaminathan et al., 2017, as the baseline): unbiased
  always, and hopeless for long slates.
- `cascade`: on the items at and above its position (McInerney et al., 2020, "Counterfactual evaluation of
  slate recommendations with sequential reward interactions").
- `independent`: on its own item and position alone (Li et al., 2018, "Offline evaluation of ranking
  policies with click models").
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from letterpress.evaluation.doubly_robust import PredictedRewards
from letterpress.evaluation.groups import Floats, groups_of_rows
from letterpress.evaluation.snips import PolicyValue, importance_weights, value_of_weighted

Structure = Literal["standard", "cascade", "independent"]


def slate_weights(
    logged: NDArray[np.floating],
    target: NDArray[np.floating],
    slate_offsets: NDArray[np.int64],
    structure: Structure,
) -> Floats:
    """Weights `(n,)` of the rewards of all positions, rows by slate and position from the top.

    `logged` and `target` are the probabilities of the item at its position: given the items above it for
    `standard` and `cascade`, over all slates (marginal) for `independent`.

    >>> logged, target = np.array([0.5, 0.5, 0.5, 0.5]), np.array([1.0, 0.25, 0.5, 1.0])
    >>> slate_weights(logged, target, np.array([0, 2, 4]), "cascade")
    array([2., 1., 1., 2.])
    >>> slate_weights(logged, target, np.array([0, 2, 4]), "standard")
    array([1., 1., 2., 2.])

    Raises:
        NotEnoughDataError: a logged propensity that cannot be used.
    """
    weights = importance_weights(logged, target)
    if structure == "independent":
        return weights
    slates = groups_of_rows(slate_offsets)
    places = np.arange(len(weights)) - slate_offsets[:-1][slates]
    for place in range(1, int(np.diff(slate_offsets).max(initial=0))):
        rows = np.flatnonzero(places == place)
        weights[rows] *= weights[rows - 1]
    if structure == "standard":
        last = slate_offsets[1:][slates] - 1
        weights = weights[last]
    return weights


def estimate_slate_value(
    rewards: NDArray[np.floating],
    logged: NDArray[np.floating],
    target: NDArray[np.floating],
    slate_offsets: NDArray[np.int64],
    *,
    structure: Structure,
    seed: int,
    rounds: int = 2000,
    predicted: PredictedRewards | None = None,
) -> PolicyValue:
    """Estimates a shown item, with intervals over slates; arguments as in `slate_weights`.

    Raises:
        NotEnoughDataError: no slates, or a logged propensity that cannot be used.
    """
    return value_of_weighted(
        rewards,
        slate_weights(logged, target, slate_offsets, structure),
        seed=seed,
        rounds=rounds,
        clusters=groups_of_rows(slate_offsets),
        predicted=predicted,
    )
