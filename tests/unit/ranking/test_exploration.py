"""Propensities are what they say, and a slate can be drawn again from its id."""

from __future__ import annotations

import numpy as np
import pytest

from letterpress.ranking.exploration import choose_order, seed_of

SCORES = np.array([0.3, 0.9, 0.1, 0.7, 0.5])


def test_logged_propensities_are_the_frequencies_of_the_policy() -> None:
    epsilon, rounds, k = 0.3, 40_000, 3
    shown = np.zeros((len(SCORES), k))
    said = np.full((len(SCORES), k), np.nan)
    for number in range(rounds):
        choice = choose_order(SCORES, k, epsilon, seed_of(f"slate-{number}"))
        for position, (row, propensity) in enumerate(zip(choice.order, choice.propensity, strict=True)):
            shown[row, position] += 1
            assert said[row, position] in {propensity} or np.isnan(said[row, position])
            said[row, position] = propensity
    five_sigma = 5 * np.sqrt(said * (1 - said) / rounds)
    assert (np.abs(shown / rounds - said) < five_sigma).all()
    assert said.sum(axis=0) == pytest.approx(np.ones(k))


def test_without_exploration_the_order_is_greedy_and_certain() -> None:
    choice = choose_order(SCORES, 5, 0.0, seed_of("any"))
    assert choice.order == [1, 3, 4, 0, 2]
    assert choice.propensity == [1.0] * 5
    assert not choice.is_explored


def test_full_exploration_is_uniform() -> None:
    choice = choose_order(SCORES, 2, 1.0, seed_of("any"))
    assert choice.is_explored
    assert choice.propensity == [0.2, 0.2]


def test_the_same_slate_id_draws_the_same_order() -> None:
    seeds = [seed_of(f"slate-{number}") for number in range(100)]
    first = [choose_order(SCORES, 5, 0.5, seed) for seed in seeds]
    assert first == [choose_order(SCORES, 5, 0.5, seed) for seed in seeds]
    assert len({tuple(choice.order) for choice in first}) > 20


def test_a_shuffle_is_pinned_so_that_a_replay_in_years_agrees() -> None:
    assert seed_of("0198f0a2") == 1646142723295175770
    assert choose_order(SCORES, 5, 1.0, 2026).order == [4, 0, 1, 2, 3]


def test_equal_scores_keep_their_order() -> None:
    assert choose_order(np.zeros(4), 4, 0.0, 1).order == [0, 1, 2, 3]


def test_a_single_candidate_is_certain() -> None:
    for number in range(20):
        choice = choose_order(np.array([0.5]), 1, 0.5, seed_of(str(number)))
        assert (choice.order, choice.propensity) == ([0], [1.0])
