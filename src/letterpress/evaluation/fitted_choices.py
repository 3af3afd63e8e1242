"""Fits the chances of being looked at to choices, with a covariance that goes by campaigns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from letterpress.evaluation.choice_likelihood import Likelihood, choice_likelihood
from letterpress.evaluation.shown_choices import ShownChoices

Floats = NDArray[np.float64]
_STOPS = (1e-6, 1 - 1e-6)
MOST_OF_CHANCE = 0.85
"""Of the variance of choices that are each made on their own: what lies below it is competition."""


@dataclass(frozen=True, slots=True)
class FittedChoices:
    """The most likely chances of being looked at, as logarithms by place."""

    log_seen: Floats
    """`(n_places,)`."""
    covariance: Floats
    """`(n_places, n_places)`, of `log_seen`."""
    log_likelihood: float

    def against_first(self) -> tuple[Floats, Floats]:
        """How much less each place is looked at than the first, as a logarithm, and its standard error."""
        against = np.eye(len(self.log_seen))
        against[:, 0] -= 1.0
        spread = np.einsum("ij,jk,ik->i", against, self.covariance, against)
        return against @ self.log_seen, np.sqrt(np.maximum(spread, 0.0))


def choices_compete(choices: ShownChoices) -> bool:
    """Whether the number of choices varies less by slate than if places were chosen each on its own.

    Who wants a few stops when they are found; who likes items one by one has good and bad days.
    """
    weight = choices.kind_weight / choices.weight.sum()
    taken = choices.chosen.sum(axis=1)
    rates = weight @ choices.chosen
    return bool(weight @ (taken - weight @ taken) ** 2 < MOST_OF_CHANCE * (rates * (1 - rates)).sum())


def fit_choices(
    choices: ShownChoices, shape: Floats, begin: Sequence[float], bounds: Sequence[tuple[float, float]]
) -> FittedChoices:
    """The fit where `log_seen` is `shape` `(n_places, n_parameters)` times parameters within `bounds`.

    Nobody stops choosing where choices do not compete: good and bad days, of which the likelihood knows
    nothing, would otherwise pass for stops.
    """
    from scipy.optimize import minimize

    n_parameters, n_places = len(begin), shape.shape[0]
    weight = choices.kind_weight
    whole = weight.sum()

    def at(values: Floats) -> tuple[Likelihood, Floats]:
        likelihood = choice_likelihood(choices, shape @ values[:n_parameters], values[n_parameters:])
        return likelihood, np.hstack([likelihood.by_place @ shape, likelihood.by_stop])

    def loss(values: Floats) -> tuple[float, Floats]:
        likelihood, slopes = at(values)
        return -float(weight @ likelihood.value) / whole, -(weight @ slopes) / whole

    first_stop, stops = (0.3, _STOPS) if choices_compete(choices) else (_STOPS[0], (_STOPS[0],) * 2)
    limits = [*bounds, *[stops] * (n_places + 1)]
    found = minimize(
        loss, [*begin, *[first_stop] * (n_places + 1)], jac=True, method="L-BFGS-B", bounds=limits,
        options={"ftol": 1e-12, "gtol": 1e-7, "maxiter": 1000},
    )  # fmt: skip
    likelihood, slopes = at(found.x)
    is_free = [low + 1e-5 < value < high - 1e-5 for value, (low, high) in zip(found.x, limits, strict=True)]
    whole_covariance = _covariance(choices, slopes, np.array(is_free))[:n_parameters, :n_parameters]
    return FittedChoices(
        log_seen=shape @ found.x[:n_parameters],
        covariance=shape @ whole_covariance @ shape.T,
        log_likelihood=float(weight @ likelihood.value),
    )


def _covariance(choices: ShownChoices, slopes: Floats, is_free: NDArray[np.bool_]) -> Floats:
    """That of all parameters `(n, n)`: the bread from slates, the filling from sums over campaigns.

    It is what refitting to campaigns that are drawn again comes to, without the refits. A parameter that is
    held at its bound does not vary.
    """
    weighted = choices.kind_weight[:, None] * slopes
    bread = np.linalg.pinv(np.where(np.outer(is_free, is_free), slopes.T @ weighted, 0.0), hermitian=True)
    n_clusters = int(choices.clusters.max()) + 1
    by_cluster = np.column_stack(
        [
            np.bincount(choices.clusters, choices.weight * column[choices.kind], n_clusters)
            for column in slopes.T
        ]
    )
    filling = by_cluster.T @ by_cluster
    covariance: Floats = bread @ filling @ bread
    return covariance
