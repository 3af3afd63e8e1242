from __future__ import annotations

import numpy as np
import pytest

from letterpress.evaluation.shown_choices import ordered_share, shown_choices, shuffled_chance

FOUR = np.arange(0, 9, 4)


def test_a_slate_is_ordered_when_its_items_had_unequal_chances() -> None:
    propensities = np.array([0.5, 0.5, 0.9, 0.1, np.nan, 0.5])
    assert ordered_share(propensities, np.array([0, 2, 4, 4, 6])) == pytest.approx(2 / 3)
    assert ordered_share(np.array([]), np.array([0])) == 0.0


def test_a_slate_is_ordered_when_all_its_items_were_where_a_policy_puts_them() -> None:
    assert ordered_share(np.array([0.96, 0.96, 0.96, 0.96, *[0.25] * 4]), FOUR) == 0.5
    assert ordered_share(np.ones(8), FOUR) == 1.0


def test_an_order_that_strays_from_the_policys_was_shuffled_and_one_that_follows_it_was_not() -> None:
    high, low = 0.95 + 0.05 / 24, 0.05 / 24
    strayed, followed = [low, high, low, low], [high] * 4
    assert shuffled_chance(np.array([*strayed, *followed]), FOUR) == pytest.approx([1.0, 0.05 / 24], abs=2e-3)


def test_a_slate_of_chance_is_chance_however_many_items_could_have_been_shown() -> None:
    assert shuffled_chance(np.array([*[1 / 4] * 4, *[1 / 24] * 4]), FOUR).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "chances",
    [
        [np.nan, 0.25, 0.25, 0.25],
        [0.0, 0.25, 0.25, 0.25],
        [0.4, 0.3, 0.2, 0.1],  # a policy that draws one item after the other
        [0.9, 0.9, 0.1, 0.1],  # a policy that swaps neighbours: an item can be at two places only
    ],
)
def test_an_order_that_is_not_known_to_be_chance_counts_for_nothing(chances: list[float]) -> None:
    assert shuffled_chance(np.array(chances), np.array([0, 4])).tolist() == [0.0]


def test_alike_slates_are_told_once_and_empty_ones_not_at_all() -> None:
    chosen = np.array([True, False, False, False, True, False])  # the last slate's rows are upside down
    found = shown_choices(
        chosen,
        np.array([1, 2, 1, 2, 1, 2]),
        np.full(6, 0.5),
        np.array([0, 2, 2, 4, 6]),
        np.array([7, 8, 9, 7]),
    )
    assert found.kind_weight.tolist() == [1.0, 2.0]
    assert found.chosen.tolist() == [[False, False], [True, False]]
    assert found.shown.all()
    assert found.clusters.tolist() == [0, 1, 0]
