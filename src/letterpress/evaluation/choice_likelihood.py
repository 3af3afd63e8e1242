"""How likely choices in shuffled slates are, when a builder looks at some places and chooses a few of those.

A builder looks at each place on its own, with a chance that the place has, wants a number of items, and
takes that many of those looked at, or all of them when they are fewer. In a slate in random order every set
of so many among those looked at is equally likely, whatever the items are worth. What was looked at is not
logged: all sets that hold what was chosen are summed up. A choice above thereby takes from those below, as
it does in truth, and items that are each liked on their own are the case of wanting more than there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import comb

import numpy as np
from numpy.typing import NDArray

from letterpress.evaluation.shown_choices import ShownChoices

Floats = NDArray[np.float64]
_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Likelihood:
    """The log-likelihood of each kind of slate, and its slopes."""

    value: Floats
    """`(n_kinds,)`."""
    by_place: Floats
    """Slopes `(n_kinds, n_places)` in the logarithm of each place's chance of being looked at."""
    by_stop: Floats
    """Slopes `(n_kinds, n_places + 1)` in the chances of wanting no more after so many."""


def choice_likelihood(choices: ShownChoices, log_seen: Floats, stops: Floats) -> Likelihood:
    """The likelihood of each kind of slate at these chances.

    `log_seen` `(n_places,)` are logarithms of the chances that a place is looked at; `stops[k]` is the chance
    that a builder who wants `k` items or more wants no more than `k`.
    """
    n_kinds, n_places = choices.shown.shape
    seen = np.minimum(np.exp(log_seen), 1 - _LEAST)
    left = np.where(choices.shown & ~choices.chosen, seen, 0.0)
    taken = choices.chosen.sum(axis=1)
    steps = [np.zeros((n_kinds, n_places + 1))]
    steps[0][:, 0] = 1.0
    for place in range(n_places):  # how many of those that were not chosen were looked at
        chance, before = left[:, place, None], steps[-1]
        steps.append(before * (1 - chance) + _one_more(before) * chance)
    stop = stops[taken]
    among = _chances_among(n_places)[taken]
    spared = (among[:, 1:] * steps[-1][:, 1:]).sum(axis=1)
    whole = np.maximum(steps[-1][:, 0] + stop * spared, 1e-300)
    went_on = np.arange(n_places + 1) < taken[:, None]
    value = choices.chosen @ log_seen + went_on @ np.log1p(-stops) + np.log(whole)
    by_stop = np.where(went_on, -1.0 / (1 - stops), 0.0)
    by_stop[np.arange(n_kinds), taken] = spared / whole
    slope = among * stop[:, None]
    slope[:, 0] = 1.0
    return Likelihood(value, _by_place(choices, left, steps, slope / whole[:, None]), by_stop)


def _by_place(choices: ShownChoices, left: Floats, steps: list[Floats], slope: Floats) -> Floats:
    """Slopes in the logarithms of the chances, from the last place back to the first."""
    found = choices.chosen.astype(np.float64)
    for place in reversed(range(left.shape[1])):
        chance, before = left[:, place, None], steps[place]
        found[:, place] += (slope * (_one_more(before) - before)).sum(axis=1) * left[:, place]
        slope = slope * (1 - chance) + _one_less(slope) * chance
    return found


def _one_more(counts: Floats) -> Floats:
    moved = np.zeros_like(counts)
    moved[:, 1:] = counts[:, :-1]
    return moved


def _one_less(counts: Floats) -> Floats:
    moved = np.zeros_like(counts)
    moved[:, :-1] = counts[:, 1:]
    return moved


@cache
def _chances_among(n_places: int) -> Floats:
    """`[k, j]`: the chance of one set of `k` among `k + j` that were looked at."""
    counts = range(n_places + 1)
    return np.array([[1.0 / comb(k + j, k) for j in counts] for k in counts])
