"""Epsilon-uniform exploration with exact propensities, drawn from the slate's own id.

With probability epsilon the whole order is a uniform shuffle of all candidates, otherwise it is greedy.
So the chance that an item stands where it stands is known in closed form, whatever was drawn:
`(1 - epsilon) * [greedy puts it there] + epsilon / n`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

POLICY = "epsilon_uniform"
SEED_BITS = 63


@dataclass(frozen=True, slots=True)
class Choice:
    """What is shown, best place first."""

    order: list[int]
    """Rows of the candidates, the first k places."""
    propensity: list[float]
    """Probability of each row at its place, under the policy."""
    is_explored: bool


def seed_of(slate_id: str) -> int:
    """The seed of a slate, 0 .. 2**63 - 1.

    >>> seed_of("a") == seed_of("a"), seed_of("a") == seed_of("b")
    (True, False)
    """
    return int.from_bytes(blake2b(slate_id.encode(), digest_size=8).digest()) >> 1


def choose_order(scores: NDArray[np.float64], k: int, epsilon: float, seed: int) -> Choice:
    """The first `k` of all candidates; equal scores keep the order in which they came.

    `random.Random.random` is promised to give the same stream in every Python release, which is why
    the shuffle sorts by its draws: a replay years later shows the same slate.

    >>> choice = choose_order(np.array([0.1, 0.9, 0.5]), 2, 0.0, seed=1)
    >>> choice.order, choice.propensity
    ([1, 2], [1.0, 1.0])
    """
    count = len(scores)
    greedy: list[int] = np.argsort(-scores, kind="stable")[:k].tolist()
    is_explored = seed < epsilon * 2**SEED_BITS
    if is_explored:
        draw = random.Random(seed).random  # noqa: S311  # a policy, not a secret
        keys = [draw() for _ in range(count)]
        order = sorted(range(count), key=keys.__getitem__)[:k]
    else:
        order = greedy
    shuffled = epsilon / count
    propensity = [
        shuffled + (1.0 - epsilon if row == best else 0.0) for row, best in zip(order, greedy, strict=True)
    ]
    return Choice(order, propensity, is_explored)
