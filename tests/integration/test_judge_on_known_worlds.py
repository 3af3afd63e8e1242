"""The judge on some worlds whose truth is known; `make bench NAME=judge` takes two thousand of them."""

from __future__ import annotations

import numpy as np
import pytest
from bench.judge import (
    BETTER,
    EPSILON,
    FEWEST,
    WORSE,
    draw_world,
    judge_few,
    judge_once,
    solve_noise,
    total,
)

from letterpress.evaluation.ndcg import ndcg_per_group

SEEDS = 60


@pytest.fixture(scope="module")
def noise() -> dict[float, float]:
    population = draw_world(np.random.default_rng(2026), 5000)
    return {change: solve_noise(population, change) for change in (WORSE, BETTER)}


def promoted(noise: float, *, is_ordered: bool, is_freed: bool = True, seeds: int = SEEDS) -> int:
    judged = (
        judge_once(seed, noise=noise, is_ordered=is_ordered, is_freed=is_freed) for seed in range(seeds)
    )
    return sum(bool(each[0]) for each in judged)


def test_the_truth_of_a_world_is_what_was_asked_for(noise: dict[float, float]) -> None:
    population = draw_world(np.random.default_rng(2026), 5000)
    before = total(ndcg_per_group, population, population.champion)
    after = total(ndcg_per_group, population, population.challenger(noise[WORSE]))
    assert after / before - 1 == pytest.approx(-EPSILON, abs=1e-4)


@pytest.mark.parametrize("is_ordered", [False, True])
def test_a_model_worse_by_epsilon_is_hardly_ever_promoted(
    noise: dict[float, float], is_ordered: bool
) -> None:
    assert promoted(noise[WORSE], is_ordered=is_ordered) <= 7  # 5 % and two standard errors


@pytest.mark.parametrize("is_ordered", [False, True])
def test_a_model_better_by_two_percent_is_mostly_promoted(
    noise: dict[float, float], is_ordered: bool
) -> None:
    assert promoted(noise[BETTER], is_ordered=is_ordered) >= 42


def test_without_freeing_labels_of_position_no_better_model_would_ever_be_promoted(
    noise: dict[float, float],
) -> None:
    assert promoted(noise[BETTER], is_ordered=True, is_freed=False, seeds=20) == 0


@pytest.mark.parametrize("campaigns", [2, 3, FEWEST])
def test_a_model_worse_by_epsilon_is_hardly_ever_promoted_on_few_campaigns_either(campaigns: int) -> None:
    judged = np.array([judge_few(seed, campaigns=campaigns) for seed in range(200)])
    as_declared, as_allowed = judged.sum(axis=0)
    assert as_declared <= 16  # 5 % and two standard errors
    assert campaigns == FEWEST or as_allowed > 16
