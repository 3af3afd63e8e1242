from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from letterpress.evaluation.fitted_choices import choices_compete
from letterpress.evaluation.shown_choices import ShownChoices, shown_choices

PLACES = 8


def choices_of(chosen: NDArray[np.bool_]) -> ShownChoices:
    """Slates `(n, 8)` in random order, two of each campaign."""
    slates = len(chosen)
    return shown_choices(
        chosen.ravel(),
        np.tile(np.arange(1, PLACES + 1), slates),
        np.full(chosen.size, 1 / PLACES),
        np.arange(0, chosen.size + 1, PLACES),
        np.arange(slates) // 2,
    )


def test_builders_who_want_a_few_make_choices_compete() -> None:
    generator = np.random.default_rng(4)
    worth = generator.random((2000, PLACES))
    wanted = generator.integers(2, 5, (2000, 1))
    assert choices_compete(choices_of(worth.argsort(axis=1).argsort(axis=1) < wanted))


@pytest.mark.parametrize("mood", [0.3, 0.8])
def test_good_and_bad_days_do_not_pass_for_builders_who_want_a_few(mood: float) -> None:
    generator = np.random.default_rng(4)
    level = np.exp(generator.normal(0.0, mood, 1000)).repeat(2)[:, None]
    likes = np.minimum(0.95, 0.25 * level * np.ones(PLACES))
    assert not choices_compete(choices_of(generator.random(likes.shape) < likes))
