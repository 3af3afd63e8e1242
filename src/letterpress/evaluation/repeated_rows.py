"""How far the chances of single outcomes lie from their predictions: told by rows that repeat.

One yes or no says nothing of that, and a single score little. But the same item comes again for campaigns of
the same kind, and what it was misjudged by then comes again with it (ADR 0048).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.integer]

PROBIT_SCALE = math.pi / 8.0
"""A wide normal spread of log odds is nearly that of a probit: its mean chance has a closed form."""
_NODES = 21
_QUANTILES = 100
_BISECTIONS = 60
_LEAST_SPREAD, _MOST_SPREAD = 1e-4, 25.0


class Belief(NamedTuple):
    """What is believed of a share before counting, and how far that may be off."""

    share: float
    doubt: float


class Singles(NamedTuple):
    """Rows of one trial `(n,)`, in the order of time."""

    seen: Floats
    """What happened: 0 or 1, or a share."""
    known: Floats
    """The predicted chance of those who look."""
    looked: Floats
    """The chance that anybody looks."""
    groups: Codes
    """Pairs are looked for within these, e.g. an item."""
    labels: Sequence[Codes]
    """What makes the campaigns of a pair alike."""


def shared_share(rows: Singles, believed: Belief) -> float:
    """The share of `known * (1 - known)` by which chances truly vary about `known`, from 0 to 1.

    The share is that of a pair whose labels are all alike: what pairs of a group share, and what they share
    more with each label that is alike. The first of a pair is compared with its prediction, and the second
    with that: its own has learnt from how the first one went. Without pairs it is what is believed.

    >>> at = np.tile([0, 1], 200)
    >>> rows = Singles(at.astype(float), np.full(400, 0.5), np.ones(400), at, [])
    >>> round(shared_share(rows, Belief(0.2, 10.0)), 3)
    1.0
    """
    sets = [frozenset[int](), *(frozenset({label}) for label in range(len(rows.labels)))]
    sums = {both: _pair_sums(rows, both) for both in {one | other for one in sets for other in sets}}
    room = np.array([[sums[one | other].room for other in sets] for one in sets])
    if room.diagonal().min() <= 0.0:
        return believed.share
    noise = np.array([[sums[one | other].noise for other in sets] for one in sets])
    inverse = np.linalg.pinv(room, rcond=1e-9, hermitian=True)  # a label may be alike everywhere
    found = float((inverse @ np.array([sums[one].shared for one in sets])).sum())
    counted, before = 1.0 / max(float((inverse @ noise @ inverse.T).sum()), 1e-12), 1.0 / believed.doubt**2
    share = (found * counted + believed.share * before) / (counted + before)
    return min(max(share, 0.0), 1.0)


class _PairSums(NamedTuple):
    shared: float
    """Of products of what happened beyond the prediction."""
    room: float
    """Of what those products would be if chances were 0 or 1."""
    noise: float
    """Their variance if nothing were shared."""


def _pair_sums(rows: Singles, alike: frozenset[int]) -> _PairSums:
    """Sums over all pairs within a group whose labels `alike` are equal."""
    keys = np.column_stack([rows.groups, *(rows.labels[label] for label in sorted(alike))])
    order = np.lexsort(keys.T[::-1])  # stable: the order of time stays within a cluster
    keys = keys[order]
    is_first = np.append(True, (keys[1:] != keys[:-1]).any(1))
    after = _sum_of_later(np.cumsum(is_first) - 1)
    seen, known, looked = rows.seen[order], rows.known[order], rows.looked[order]
    away, others = seen - looked * known, after(looked)
    return _PairSums(
        shared=float((away * (after(seen) - others * known)).sum()),
        room=float((looked * others * known * (1.0 - known)).sum()),
        noise=float((away**2 * after(away**2)).sum()),
    )


def _sum_of_later(clusters: NDArray[np.int64]) -> Callable[[Floats], Floats]:
    """What sums for each row `(n,)` the values of later rows of its cluster, which adjoin."""

    def after(values: Floats) -> Floats:
        running, whole = np.cumsum(values), np.bincount(clusters, values)
        return np.asarray(np.cumsum(whole)[clusters] - running, np.float64)

    return after


def spread_of_share(known: Floats, share: float) -> float:
    """The variance of normal log odds whose chances vary by `share` of `known * (1 - known)`.

    >>> 0.14 < spread_of_share(np.full(10, 0.5), 0.034) < 0.16
    True
    """
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    weights = weights / weights.sum()
    rates = np.clip(np.quantile(known, np.linspace(0.005, 0.995, _QUANTILES)), 1e-6, 1.0 - 1e-6)
    odds = np.log(rates / (1.0 - rates))

    def share_of(spread: float) -> float:
        chances = 1.0 / (1.0 + np.exp(-middle_of(odds, spread)[:, None] - np.sqrt(spread) * nodes))
        means = chances @ weights
        return float((chances**2 @ weights - means**2).sum() / (means * (1.0 - means)).sum())

    low, high = _LEAST_SPREAD, _MOST_SPREAD
    for _ in range(_BISECTIONS):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if share_of(middle) < share else (low, middle)
    return low


def middle_of(odds: Floats, spread: float) -> Floats:
    """The middle `(n,)` of normal log odds whose chance is on average that of `odds`."""
    return np.asarray(odds * math.sqrt(1.0 + PROBIT_SCALE * spread), np.float64)
