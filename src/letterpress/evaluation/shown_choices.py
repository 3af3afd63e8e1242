"""Which places of a slate were shown and chosen, and how much of a slate's order was left to chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOST_PLACES = 12
"""Places that are told apart; what lies below them is looked at as seldom as the last of them."""


def ordered_share(propensities: NDArray[np.floating], group_offsets: NDArray[np.int64]) -> float:
    """Share of slates that some policy ordered: their items had other chances of their places than by lot.

    By lot nobody's chance is above one over the items shown, however many more could have been.

    >>> ordered_share(np.array([0.5, 0.5, 0.9, 0.1, 0.9, 0.9]), np.array([0, 2, 4, 6]))
    0.6666666666666666
    """
    filled = np.nan_to_num(propensities.astype(np.float64), nan=0.0)
    some = np.flatnonzero(np.diff(group_offsets) > 0)
    if not len(some):
        return 0.0
    starts, sizes = group_offsets[:-1][some], np.diff(group_offsets)[some]
    most, least = np.maximum.reduceat(filled, starts), np.minimum.reduceat(filled, starts)
    return float(np.mean((most - least > 1e-9) | (most > 1 / sizes + 1e-6)))


def unknown_share(propensities: NDArray[np.floating], group_offsets: NDArray[np.int64]) -> float:
    """Share of slates that say of no item how likely its place was, so that nobody knows who ordered them.

    >>> unknown_share(np.array([0.5, 0.5, np.nan, 0.0]), np.array([0, 2, 4]))
    0.5
    """
    starts = group_offsets[:-1][np.diff(group_offsets) > 0]
    if not len(starts):
        return 0.0
    return float(np.mean(~np.logical_or.reduceat((propensities > 0) & (propensities <= 1), starts)))


def shuffled_chance(propensities: NDArray[np.floating], group_offsets: NDArray[np.int64]) -> Floats:
    """How likely each slate's order is under a shuffle, against what it was in the log `(g,)`.

    A policy that shuffles a share `s` of its slates whole gives every item at least `s / n` at every place,
    and `1 - s` more at the policy's own. So an order that strays from the policy's was shuffled (1), and one
    that follows it to the end hardly ever was (about 0). Slates of other policies, and those that do not say
    all of their chances, are 0: their order is not known to be chance.

    >>> shuffled_chance(np.array([0.25, 0.25, 0.75, 0.25, 0.75, 0.75]), np.array([0, 2, 4, 6])).round(2)
    array([1.  , 1.  , 0.33])
    """
    sizes = np.diff(group_offsets)
    some = sizes > 0
    chance = np.zeros(len(sizes))
    if not some.any():
        return chance
    starts, sizes = group_offsets[:-1][some], sizes[some]
    given = propensities.astype(np.float64)
    known = np.logical_and.reduceat((given > 0) & (given <= 1), starts)
    most, least = np.maximum.reduceat(given, starts), np.minimum.reduceat(given, starts)
    between = np.minimum(np.repeat(most, sizes) - given, given - np.repeat(least, sizes))
    known &= np.maximum.reduceat(between, starts) < 1e-6
    chance[some] = np.where(known, _of_two_chances(most, least, sizes), 0.0)
    return chance


def _of_two_chances(most: Floats, least: Floats, sizes: NDArray[np.int64]) -> Floats:
    """The same of slates that have no chances but these two: of the policy's own places, and of others."""
    with np.errstate(divide="ignore", invalid="ignore"):
        strayed = (most - least > 1e-9) & ((1 - most) / least + 1 > sizes - 0.5)  # as many as there are items
    by_lot = (most - least <= 1e-9) & (most <= 1 / sizes + 1e-6)
    followed = (most - least <= 1e-9) & ~by_lot
    share = np.clip((1 - most) * sizes / np.maximum(sizes - 1, 1), 0.0, 1.0)
    orders = np.cumprod(np.r_[1.0, np.arange(1, sizes.max() + 1)])[sizes]
    by_chance = share / orders / np.maximum(1 - share + share / orders, 1e-12)
    return np.where(by_lot | strayed, 1.0, np.where(followed, by_chance, 0.0))


@dataclass(frozen=True, slots=True)
class ShownChoices:
    """Slates by what was shown and chosen at each place, alike ones told once."""

    shown: NDArray[np.bool_]
    """`(n_kinds, n_places)`."""
    chosen: NDArray[np.bool_]
    kind: NDArray[np.int64]
    """Of each slate `(n_slates,)`."""
    weight: Floats
    """What each slate counts `(n_slates,)`: how likely its order was chance."""
    clusters: NDArray[np.int64]
    """The campaign of each slate, from 0 on."""

    @property
    def kind_weight(self) -> Floats:
        """What the slates of each kind count together `(n_kinds,)`."""
        return np.bincount(self.kind, self.weight, len(self.shown))


def shown_choices(
    chosen: NDArray[np.bool_],
    positions: NDArray[np.integer],
    propensities: NDArray[np.floating],
    group_offsets: NDArray[np.int64],
    clusters: NDArray[np.integer],
) -> ShownChoices:
    """What rows `(n,)` show of the slates whose order was chance; `clusters` `(g,)` are their campaigns."""
    weight = shuffled_chance(propensities, group_offsets)
    kept = np.flatnonzero(weight > 1e-9)
    slate_of_row = np.repeat(np.arange(len(weight)), np.diff(group_offsets))
    places = min(int(positions.max(initial=1)), MOST_PLACES)
    told = (positions >= 1) & (positions <= places)
    seen = np.zeros((len(weight), places), np.uint8)  # 1 shown, 2 chosen
    seen[slate_of_row[told], positions[told] - 1] = 1 + chosen[told]
    numbers = seen[kept] @ 3 ** np.arange(places)  # one for each kind; comparing whole rows takes far longer
    _, firsts, kind = np.unique(numbers, return_index=True, return_inverse=True)
    kinds = seen[kept][firsts]
    codes = np.unique(clusters[kept], return_inverse=True)[1]
    return ShownChoices(kinds > 0, kinds > 1, kind, weight[kept], codes)
