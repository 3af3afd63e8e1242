"""How much error each look may cost, so that many looks together cost no more than was agreed."""

from __future__ import annotations

from statistics import NormalDist

from letterpress.evaluation.paired_bootstrap import Interval

_NORMAL = NormalDist()
TOTAL_ERROR = 0.05
"""Chance that any challenger at all replaces a given champion although it is worse by epsilon or more."""


def error_of_look(look: int, *, total: float = TOTAL_ERROR) -> float:
    """What the `look`-th challenger against one champion may spend: `total / (look * (look + 1))`.

    The sum over all looks that ever come is `total`, by the union bound, whatever the challengers and
    their test sets have in common. The first look is the usual two-sided 95 % interval.

    >>> [round(error_of_look(look), 5) for look in (1, 2, 10)]
    [0.025, 0.00833, 0.00045]
    """
    if look < 1:
        raise ValueError(f"expected looks to be counted from 1, found {look}")
    return total / (look * (look + 1))


def lower_bound(interval: Interval, error: float) -> float:
    """The lower bound of a 95 % interval, moved to a one-sided `error` by the ratio of normal quantiles.

    The bootstrap has too few rounds for the tail of a late look, and its own skew is kept.

    >>> round(lower_bound(Interval(0.0, -0.0196, 0.02, 100), 0.025), 4)
    -0.0196
    >>> round(lower_bound(Interval(0.0, -0.0196, 0.02, 100), 0.00045), 4)
    -0.0332
    """
    stretch = _NORMAL.inv_cdf(1 - error) / _NORMAL.inv_cdf(0.975)
    return interval.mean - stretch * (interval.mean - interval.low)
