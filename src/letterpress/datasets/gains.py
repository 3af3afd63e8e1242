"""What an item of a slate was worth: the declared targets, blended into one gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from letterpress.recommenders import Target

Floats = NDArray[np.float64]
Counts = Mapping[str, NDArray[np.number]]


def hits_and_trials(target: Target, counts: Counts) -> tuple[Floats, Floats]:
    """How often the target happened, and how often it could have `(n,)`.

    A yes or no has one trial. A score counts as the share of one trial that it is of its scale. What is not
    known (NaN) had no trial.

    >>> stays = Target("stays", "left", 1.0, 24, denominator="delivered", is_avoided=True)
    >>> hits_and_trials(stays, {"left": np.array([1, 0]), "delivered": np.array([50, 0])})
    (array([49.,  0.]), array([50.,  0.]))
    >>> hits_and_trials(Target("score", "score", 1.0, 48, scale=100.0), {"score": np.array([60.0, np.nan])})
    (array([0.6, 0. ]), array([1., 0.]))
    """
    hits, trials = counts[target.numerator].astype(np.float64), np.ones(len(counts[target.numerator]))
    if target.scale is not None:
        hits /= target.scale
    elif target.denominator is not None:
        trials = counts[target.denominator].astype(np.float64)
    hits = np.minimum(hits, trials)  # a late delivery report must not make a rate above one
    unknown = np.isnan(hits)
    hits[unknown] = trials[unknown] = 0.0
    return (trials - hits if target.is_avoided else hits), trials


def target_gain(target: Target, counts: Counts) -> Floats:
    """Gains `(n,)` in 0..1: the label, the score, or the shrunken rate over twice the reference.

    An item that was never delivered has no rate and gains nothing from a rate target. What is not known gains
    nothing either.

    >>> clicked = Target("clicked", "clicked", 1.0, 24, denominator="delivered", reference_rate=0.1)
    >>> target_gain(clicked, {"clicked": np.array([0, 10, 9]), "delivered": np.array([0, 50, 10])})
    array([0.  , 0.75, 1.  ])
    """
    if target.denominator is None or target.scale is not None:
        return hits_and_trials(target, counts)[0]
    hits, trials = (counts[name].astype(np.float64) for name in (target.numerator, target.denominator))
    rates = (hits + target.prior_trials * target.reference_rate) / (trials + target.prior_trials)
    gains: Floats = np.minimum(1.0, rates / (2.0 * target.reference_rate))
    if target.is_avoided:
        gains = 1.0 - gains
    gains[(trials == 0) | np.isnan(hits)] = 0.0
    return gains


def blended_gains(targets: Sequence[Target], counts: Counts) -> NDArray[np.float32]:
    """The weighted sum `(n,)` of the gains of all targets.

    Where a target is not known of what was sent, the others speak for it: all items of a slate are of one
    age, so none gains by that.
    """
    whole = sum(target.weight for target in targets)
    total, known = np.zeros((2, len(counts[targets[0].numerator])))
    for target in targets:
        total += target.weight * target_gain(target, counts)
        known += target.weight * ~_is_awaited(target, counts)
    gains = np.divide(total * whole, known, out=np.zeros_like(total), where=known > 0)
    return gains.astype(np.float32)


def _is_awaited(target: Target, counts: Counts) -> NDArray[np.bool_]:
    """Where `(n,)` the target is not known of what was sent."""
    awaited: NDArray[np.bool_] = np.isnan(counts[target.numerator])
    return awaited if target.denominator is None else awaited & (counts[target.denominator] > 0)
