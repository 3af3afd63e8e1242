"""What an item of a slate was worth: the declared targets, blended into one gain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from letterpress.recommenders import Target

PRIOR_TRIALS = 50.0
"""Trials at the reference rate that every observed rate is mixed with, so that 1 click of 2 is no 50 %."""


def target_gain(target: Target, counts: Mapping[str, NDArray[np.integer]]) -> NDArray[np.float64]:
    """Gains `(n,)` in 0..1 of one target: its 0/1 label, or its shrunken rate over twice the reference.

    An item that was never delivered has no rate and gains nothing from a rate target.

    >>> clicked = Target("clicked", "clicked", 1.0, 24, denominator="delivered", reference_rate=0.1)
    >>> target_gain(clicked, {"clicked": np.array([0, 10, 9]), "delivered": np.array([0, 50, 10])})
    array([0.  , 0.75, 1.  ])
    """
    hits = counts[target.numerator].astype(np.float64)
    if target.denominator is None:
        return np.minimum(hits, 1.0)
    trials = counts[target.denominator].astype(np.float64)
    rates = (hits + PRIOR_TRIALS * target.reference_rate) / (trials + PRIOR_TRIALS)
    gains: NDArray[np.float64] = np.minimum(1.0, rates / (2.0 * target.reference_rate))
    gains[trials == 0] = 0.0
    return gains


def blended_gains(
    targets: Sequence[Target], counts: Mapping[str, NDArray[np.integer]]
) -> NDArray[np.float32]:
    """The weighted sum `(n,)` of the gains of all targets."""
    total = sum(target.weight * target_gain(target, counts) for target in targets)
    return np.asarray(total, dtype=np.float32)
