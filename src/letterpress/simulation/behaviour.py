"""What is shown, what builders choose, and what recipients do: the known truth behind the log."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from letterpress.images.enhancements import VARIANTS
from letterpress.simulation.campaigns import MINUTE, Ints, Slates
from letterpress.simulation.world import World, click_rates

SLATE_SIZE = 8
PROPENSITY = 1.0 / len(VARIANTS)
"""A uniform shuffle of n candidates shows each of them at each position with probability 1/n."""
EXAMINATION_POWER = 0.5

_CHOOSE_COUNTS = (2, 3, 4)
_CHOOSE_SHARES = (0.5, 0.3, 0.2)
_CLICK_PULL = 2.0
_TASTE_PULL = 0.5
_RATE_SPREAD = 0.19
_DISMISS_SHARE = 0.5
_OPEN_RATE = 0.2
_UNSUBSCRIBE_RATE = 0.0008
_BATCH_SHARES = np.array([0.5, 0.35, 0.15])
_BATCH_DELAYS = np.array([60, 300, 1200]) * MINUTE


def examination(positions: NDArray[np.int64]) -> NDArray[np.float64]:
    """Probability that a builder looks at a position; 1 at the top."""
    return np.asarray(positions.astype(np.float64) ** -EXAMINATION_POWER, np.float64)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the slates showed and what builders did with it; all (n_slates, k), by position."""

    items: Ints
    rates: NDArray[np.float64]
    chosen: NDArray[np.bool_]
    dismissed: NDArray[np.bool_]


def show_and_choose(world: World, slates: Slates, rng: np.random.Generator) -> Shown:
    """Uniform slates out of the variants of each slate's picture, and the builders' choices."""
    variants: Ints = np.argsort(rng.random((len(slates), len(VARIANTS))), axis=1)[:, :SLATE_SIZE]
    return choose(world, slates, slates.picture[:, None] * len(VARIANTS) + variants, rng)


def choose(world: World, slates: Slates, items: Ints, rng: np.random.Generator) -> Shown:
    """What builders choose of `items` (n_slates, k), which lie in the order in which they were shown.

    A builder examines positions independently, and of the examined ones chooses 2-4 (fewer when fewer
    were examined) without replacement with odds exp(2 z + 0.5 taste), z the item's log click rate
    against the slate's mean in standard deviations.
    """
    n_slates, size = len(items), items.shape[1]
    rates = click_rates(world, items, slates.segment, slates.industry, slates.campaign_type)
    log_rates = np.log(rates)
    appeal = (log_rates - log_rates.mean(1, keepdims=True)) / _RATE_SPREAD
    liking = _CLICK_PULL * appeal + _TASTE_PULL * world.effects.taste[items, slates.campaign_type[:, None]]
    examined = rng.random((n_slates, size)) < examination(np.arange(1, size + 1))
    odds = np.where(examined, liking + rng.gumbel(size=liking.shape), -np.inf)
    place = np.argsort(np.argsort(-odds, axis=1), axis=1)
    wanted = rng.choice(_CHOOSE_COUNTS, n_slates, p=_CHOOSE_SHARES)
    chosen = (place < wanted[:, None]) & examined
    last = place == examined.sum(1, keepdims=True) - 1
    dismissed = last & ~chosen & (rng.random((n_slates, 1)) < _DISMISS_SHARE)
    return Shown(items, rates, chosen, dismissed)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Aggregated outcome events, all (n_events,)."""

    slate: Ints
    position: Ints
    """0-based column of the slate."""
    kind: Ints
    """Index into KINDS."""
    batch: Ints
    count: Ints
    at: Ints


KINDS = ("delivered", "opened", "clicked", "unsubscribed")


def send_and_react(slates: Slates, shown: Shown, rng: np.random.Generator) -> Outcomes:
    """Every chosen item is sent to 200-5,000 recipients; what they do comes back in three batches."""
    slate, position = np.nonzero(shown.chosen)
    size = np.exp(rng.uniform(np.log(200), np.log(5000), len(slates)))[slate]
    sent = np.maximum(1, rng.poisson(size))
    clicked = rng.binomial(sent, np.minimum(shown.rates[slate, position], 1.0))
    opened = clicked + rng.binomial(sent - clicked, _OPEN_RATE)
    unsubscribed = rng.binomial(sent, _UNSUBSCRIBE_RATE)
    send_at = slates.send_at[slate]
    parts = [(np.arange(len(slate)), 0, 0, sent, send_at + rng.integers(0, 2 * MINUTE, len(slate)))]
    for kind, total in ((1, opened), (2, clicked), (3, unsubscribed)):
        split = rng.multinomial(total, _BATCH_SHARES)
        for batch, delay in enumerate(_BATCH_DELAYS):
            some = np.flatnonzero(split[:, batch])
            at = send_at[some] + delay + rng.integers(0, 30 * MINUTE, len(some))
            parts.append((some, kind, batch, split[some, batch], at))
    rows = np.concatenate([part[0] for part in parts])
    lengths = [len(part[0]) for part in parts]
    return Outcomes(
        slate=slate[rows],
        position=position[rows],
        kind=np.repeat([part[1] for part in parts], lengths),
        batch=np.repeat([part[2] for part in parts], lengths),
        count=np.concatenate([part[3] for part in parts]),
        at=np.concatenate([part[4] for part in parts]),
    )
