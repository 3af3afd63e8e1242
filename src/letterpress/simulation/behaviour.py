"""What is shown and what builders choose: the known truth behind slates and interactions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from letterpress.images.enhancements import VARIANTS
from letterpress.simulation.campaigns import Ints, Slates
from letterpress.simulation.world import (
    BASE_CONVERSION_RATE,
    BASE_UNSUBSCRIBE_RATE,
    Conditions,
    Floats,
    World,
    click_rates,
)

SLATE_SIZE = 8
PROPENSITY = 1.0 / len(VARIANTS)
"""A uniform shuffle of n candidates shows each of them at each position with probability 1/n."""
EXAMINATION_POWER = 0.5
EXPERIMENT_SHARE = 0.9
"""Of the sends that can be experiments: the slate shows the original, and 2-4 variants would be sent."""
MOST_ARMS = 4

CHOOSE_SHARES = {2: 0.5, 3: 0.3, 4: 0.2}
"""How many a builder wants, and how often."""
_CLICK_PULL = 2.0
_TASTE_PULL = 0.5
_RATE_SPREAD = 0.17
_DISMISS_SHARE = 0.5


def examination(positions: NDArray[np.int64]) -> NDArray[np.float64]:
    """Probability that a builder looks at a position; 1 at the top."""
    return np.asarray(positions.astype(np.float64) ** -EXAMINATION_POWER, np.float64)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the slates showed and what builders did with it; all (n_slates, k), by position."""

    items: Ints
    rates: Floats
    """True click rates, before hour and season."""
    conversion_rates: Floats
    """Of those who clicked."""
    unsubscribe_rates: Floats
    chosen: NDArray[np.bool_]
    dismissed: NDArray[np.bool_]
    control: NDArray[np.bool_]
    """The original of an experiment that is sent along though the builder did not choose it."""
    is_experiment: NDArray[np.bool_]
    """(n_slates,): what is sent is an A/B test of 2-4 arms, the original among them."""
    conditions: Conditions
    seed: int
    """Of the world; decides which recipients are machines."""

    @property
    def sent(self) -> NDArray[np.bool_]:
        return self.chosen | self.control


def show_uniformly(slates: Slates, rng: np.random.Generator) -> Ints:
    """(n_slates, k) items: uniform slates out of the variants of each slate's picture."""
    variants: Ints = np.argsort(rng.random((len(slates), len(VARIANTS))), axis=1)[:, :SLATE_SIZE]
    return slates.picture[:, None] * len(VARIANTS) + variants


def choose(world: World, slates: Slates, items: Ints, rng: np.random.Generator) -> Shown:
    """What builders choose of `items` (n_slates, k), which lie in the order in which they were shown.

    A builder examines positions independently, and of the examined ones chooses 2-4 (fewer when fewer
    were examined) without replacement with odds exp(2 z + 0.5 taste), z the item's log click rate
    against the slate's mean in standard deviations.
    """
    n_slates, size = len(items), items.shape[1]
    rates = click_rates(world, items, slates.segment, slates.industry, slates.campaign_type)
    liked = liking(world, items, rates, slates.campaign_type)
    examined = rng.random((n_slates, size)) < examination(np.arange(1, size + 1))
    odds = np.where(examined, liked + rng.gumbel(size=liked.shape), -np.inf)
    place = np.argsort(np.argsort(-odds, axis=1), axis=1)
    wanted = rng.choice(tuple(CHOOSE_SHARES), n_slates, p=tuple(CHOOSE_SHARES.values()))
    chosen = (place < wanted[:, None]) & examined
    last = place == examined.sum(1, keepdims=True) - 1
    dismissed = last & ~chosen & (rng.random((n_slates, 1)) < _DISMISS_SHARE)
    control, is_experiment = _plan_experiments(items, chosen, rng)
    of_type = (items, slates.campaign_type[:, None])
    return Shown(
        items=items,
        rates=rates,
        conversion_rates=BASE_CONVERSION_RATE * np.exp(world.effects.conversion[of_type]),
        unsubscribe_rates=BASE_UNSUBSCRIBE_RATE * np.exp(world.effects.unsubscribe[items]),
        chosen=chosen,
        dismissed=dismissed & ~control,
        control=control,
        is_experiment=is_experiment,
        conditions=world.conditions,
        seed=world.seed,
    )


def liking(world: World, items: Ints, rates: Floats, campaign_type: Ints) -> Floats:
    """How much a builder likes each item `(n, k)` beside the others of its slate, before what is chance."""
    log_rates = np.log(rates)
    appeal = (log_rates - log_rates.mean(1, keepdims=True)) / _RATE_SPREAD
    taste = world.effects.taste[items, campaign_type[:, None]]
    return np.asarray(_CLICK_PULL * appeal + _TASTE_PULL * taste, np.float64)


def _plan_experiments(
    items: Ints, chosen: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where the original goes along as control, and which slates are experiments."""
    original = items % len(VARIANTS) == 0
    n_arms = (chosen | original).sum(1)
    is_experiment = (
        original.any(1)
        & chosen.any(1)
        & (n_arms >= 2)
        & (n_arms <= MOST_ARMS)
        & (rng.random(len(items)) < EXPERIMENT_SHARE)
    )
    return is_experiment[:, None] & original & ~chosen, is_experiment
