"""Slate estimators on a world small enough to count every slate."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from numpy.typing import NDArray

from letterpress.evaluation.slate_value import Structure, estimate_slate_value, slate_weights

ITEMS, PLACES = 4, 3
APPEAL = np.array([0.05, 0.1, 0.3, 0.6])
SLATES = np.array(list(permutations(range(ITEMS), PLACES)))


def plackett_luce(strengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Conditional probabilities `(n_slates, 3)` of every slate's items given those above."""
    chances = np.empty(SLATES.shape)
    for row, slate in enumerate(SLATES):
        left = strengths.sum()
        for place, item in enumerate(slate):
            chances[row, place] = strengths[item] / left
            left -= strengths[item]
    return chances


def cascade_rewards(slates: NDArray[np.int64]) -> NDArray[np.float64]:
    """Expected clicks `(n, 3)` of users who read from the top and stop at the first click."""
    clicked = APPEAL[slates]
    reached = np.cumprod(np.concatenate([np.ones((len(slates), 1)), 1 - clicked[:, :-1]], axis=1), axis=1)
    return np.asarray(reached * clicked, dtype=np.float64)


LOGGED, TARGET = plackett_luce(np.ones(ITEMS)), plackett_luce(np.array([1.0, 1.0, 2.0, 6.0]))


@pytest.mark.parametrize("structure", ["standard", "cascade"])
def test_the_estimate_is_the_truth_when_every_slate_is_counted(structure: Structure) -> None:
    rewards = cascade_rewards(SLATES)
    truth = (TARGET.prod(axis=1) @ rewards).sum() / PLACES
    offsets = np.arange(0, SLATES.size + 1, PLACES)
    weights = slate_weights(LOGGED.ravel(), TARGET.ravel(), offsets, structure)
    value = (weights.reshape(SLATES.shape) * rewards * LOGGED.prod(axis=1)[:, None]).sum() / PLACES
    assert value == pytest.approx(truth, rel=1e-12)


def test_position_structure_needs_fewer_slates_than_whole_slates() -> None:
    generator = np.random.default_rng(5)
    drawn = generator.integers(0, len(SLATES), 4000)
    rewards = (generator.random((4000, PLACES)) < cascade_rewards(SLATES[drawn])).astype(float)
    truth = (TARGET.prod(axis=1) @ cascade_rewards(SLATES)).sum() / PLACES
    offsets = np.arange(0, 4000 * PLACES + 1, PLACES)
    structures: tuple[Structure, ...] = ("standard", "cascade")
    found = {
        structure: estimate_slate_value(
            rewards.ravel(),
            LOGGED[drawn].ravel(),
            TARGET[drawn].ravel(),
            offsets,
            structure=structure,
            seed=1,
            rounds=400,
        )
        for structure in structures
    }
    for value in found.values():
        assert value.ips is not None
        assert value.ips.low < truth < value.ips.high
        assert value.ips.clusters == 4000
    assert found["cascade"].effective_sample_size > found["standard"].effective_sample_size
    assert found["cascade"].largest_weight <= found["standard"].largest_weight


def test_with_independent_positions_the_marginal_propensities_are_enough() -> None:
    by_place = np.linspace(1.0, 0.5, PLACES)
    rewards = APPEAL[SLATES] * by_place
    chance = {"logged": LOGGED.prod(axis=1), "target": TARGET.prod(axis=1)}
    marginal = {
        name: np.array(
            [[weights[SLATES[:, place] == item].sum() for place in range(PLACES)] for item in range(4)]
        )
        for name, weights in chance.items()
    }
    places = np.arange(PLACES)
    weights = slate_weights(
        marginal["logged"][SLATES, places].ravel(),
        marginal["target"][SLATES, places].ravel(),
        np.arange(0, SLATES.size + 1, PLACES),
        "independent",
    ).reshape(SLATES.shape)
    found = (weights * rewards * chance["logged"][:, None]).sum()
    assert found == pytest.approx((chance["target"] @ rewards).sum(), rel=1e-12)
