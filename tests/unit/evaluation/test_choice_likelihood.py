from __future__ import annotations

from itertools import chain, combinations
from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray

from letterpress.evaluation.choice_likelihood import choice_likelihood
from letterpress.evaluation.shown_choices import ShownChoices

PLACES = 4
SEEN = np.array([0.9, 0.6, 0.5, 0.3])
STOPS = np.array([0.1, 0.2, 0.5, 0.3, 0.7])


def all_kinds() -> ShownChoices:
    """Every set that can be chosen of four places."""
    chosen = np.array([[number >> place & 1 for place in range(PLACES)] for number in range(16)], dtype=bool)
    return ShownChoices(np.ones_like(chosen), chosen, np.arange(16), np.ones(16), np.arange(16))


def summed_by_hand(chosen: NDArray[np.bool_]) -> float:
    """The chance of this choice, over all sets that may have been looked at."""
    taken, rest = int(chosen.sum()), np.flatnonzero(~chosen)
    whole = 0.0
    for more in chain.from_iterable(combinations(rest, count) for count in range(len(rest) + 1)):
        looked = chosen.copy()
        looked[list(more)] = True
        wants = np.prod(1 - STOPS[:taken]) * (STOPS[taken] if more else 1.0)
        whole += np.prod(np.where(looked, SEEN, 1 - SEEN)) * wants / comb(int(looked.sum()), taken)
    return float(whole)


def test_it_is_the_sum_over_all_that_may_have_been_looked_at_and_adds_up_to_one() -> None:
    kinds = all_kinds()
    found = np.exp(choice_likelihood(kinds, np.log(SEEN), STOPS).value)
    assert found == pytest.approx([summed_by_hand(each) for each in kinds.chosen])
    assert found.sum() == pytest.approx(1.0)


def test_its_slopes_are_those_of_small_steps() -> None:
    kinds, step = all_kinds(), 1e-6
    found = choice_likelihood(kinds, np.log(SEEN), STOPS)
    for place, each in enumerate(np.eye(PLACES) * step):
        more, less = (choice_likelihood(kinds, np.log(SEEN) + moved, STOPS).value for moved in (each, -each))
        assert found.by_place[:, place] == pytest.approx((more - less) / (2 * step), abs=1e-6)
    for count, each in enumerate(np.eye(PLACES + 1) * step):
        more, less = (choice_likelihood(kinds, np.log(SEEN), STOPS + moved).value for moved in (each, -each))
        assert found.by_stop[:, count] == pytest.approx((more - less) / (2 * step), abs=1e-6)
