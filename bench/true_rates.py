"""What every target of a simulated slate truly is: chances and expectations, worked out and not counted.

The chance of being chosen is that of this slate in this order. A score is what it is expected to be when
the item is sent, given what the tenant and the industry had got until then.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from bench.known_world import as_simulated
from letterpress.datasets.training_arrays import SEPARATOR
from letterpress.datasets.training_set import TrainingSet
from letterpress.settings import Home
from letterpress.simulation.behaviour import CHOOSE_SHARES, examination, liking
from letterpress.simulation.plan import Plan
from letterpress.simulation.reactions import LARGEST_SEND, OPEN_RATE, SMALLEST_SEND
from letterpress.simulation.seasons import click_factors
from letterpress.simulation.world import (
    BASE_CONVERSION_RATE,
    BASE_UNSUBSCRIBE_RATE,
    BOUNCE_RATE,
    World,
    click_rates,
)

Floats = NDArray[np.float64]

NODES = 48
"""Of the integral over how much a builder likes an item."""
DRAWS = 64
TERMS = {"opened": 0.15, "clicked": 0.4, "converted": 0.25, "unsubscribed": -0.12, "bounced": -0.08}
STRENGTH, SWING = 2000.0, 5.0
"""How the e-mail score is made, as `dbt/macros/email_score.sql` has it."""


def true_rates(world: World, plan: Plan, part: TrainingSet, norms: dict[str, Floats]) -> dict[str, Floats]:
    """The truth `(n,)` of every target of the rows of `part`.

    `norms` are usual rates `(g,)` by slate; where they are NaN, so is the score.
    """
    slates, items = as_simulated(world, plan, part)
    clicks = click_rates(world, items, slates.segment, slates.industry, slates.campaign_type)
    chances = chosen_chances(
        liking(world, items, clicks, slates.campaign_type),
        part.position.astype(np.int64).reshape(items.shape),
    )
    strength = world.conditions.season_strength
    clicked = clicks * click_factors(slates.send_at, strength)[:, None]
    of_type = (items, slates.campaign_type[:, None])
    converted = clicked * BASE_CONVERSION_RATE * np.exp(world.effects.conversion[of_type])
    unsubscribed = BASE_UNSUBSCRIBE_RATE * np.exp(world.effects.unsubscribe[items])
    rates = {"clicked": clicked, "converted": converted, "unsubscribed": unsubscribed}
    flat = {name: each.ravel() for name, each in rates.items()}
    usual = {name: np.repeat(each, part.group_sizes) for name, each in norms.items()}
    return {
        "chosen": chances.ravel(),
        "clicked": flat["clicked"],
        "converted": flat["converted"],
        "not_unsubscribed": 1.0 - flat["unsubscribed"],
        "email_score": expected_scores(flat, usual, np.random.default_rng([plan.seed, 48])),
    }


def chosen_chances(likings: Floats, positions: NDArray[np.int64]) -> Floats:
    """The chance `(g, k)` that a builder looks at an item and finds fewer better ones than are wanted.

    Each liking is that of the item plus Gumbel noise. Given its own, others are better independently.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    quantiles = (nodes + 1.0) / 2.0
    looked = examination(positions)
    found = np.zeros(likings.shape)
    for item in range(likings.shape[1]):
        level = likings[:, item, None] - np.log(-np.log(quantiles))
        fewer = np.zeros((*level.shape, len(likings[0])))  # how many others are better: (g, nodes, count)
        fewer[..., 0] = 1.0
        for other in range(likings.shape[1]):
            if other == item:
                continue
            better = (looked[:, other, None] * -np.expm1(-np.exp(likings[:, other, None] - level)))[..., None]
            fewer[..., 1:] = fewer[..., 1:] * (1.0 - better) + fewer[..., :-1] * better
            fewer[..., :1] *= 1.0 - better
        at_most = np.cumsum(fewer, axis=-1)
        wanted = sum(share * at_most[..., count - 1] for count, share in CHOOSE_SHARES.items())
        found[:, item] = looked[:, item] * (wanted @ (weights / 2.0))
    return found


def expected_scores(rates: dict[str, Floats], norms: dict[str, Floats], rng: np.random.Generator) -> Floats:
    """The mean e-mail score `(n,)`, as a share of 100, over sizes of sends and all that is counted.

    A Latin hypercube: each draw takes another slice of each of the distributions, in an order of each row.
    """
    n = len(rates["clicked"])
    slices = {name: rng.permuted(np.tile(np.arange(DRAWS), (n, 1)), axis=1) for name in ("sent", *TERMS)}
    total = np.zeros(n)
    for draw in range(DRAWS):
        at = {name: (each[:, draw] + rng.random(n)) / DRAWS for name, each in slices.items()}
        sent = SMALLEST_SEND * (LARGEST_SEND / SMALLEST_SEND) ** at["sent"]
        delivered = sent * (1.0 - BOUNCE_RATE)
        clicked = poisson_quantiles(delivered * rates["clicked"], at["clicked"])
        others = delivered - clicked
        room = np.sqrt(others * OPEN_RATE * (1.0 - OPEN_RATE))
        counts = {
            "clicked": clicked,
            "opened": clicked + np.maximum(others * OPEN_RATE + room * ndtri(at["opened"]), 0.0),
            "converted": poisson_quantiles(clicked * rates["converted"] / rates["clicked"], at["converted"]),
            "unsubscribed": poisson_quantiles(delivered * rates["unsubscribed"], at["unsubscribed"]),
            "bounced": poisson_quantiles(sent * BOUNCE_RATE, at["bounced"]),
        }
        total += score(counts, delivered, sent, norms)
    return total / DRAWS


def score(counts: dict[str, Floats], delivered: Floats, sent: Floats, norms: dict[str, Floats]) -> Floats:
    """The e-mail score of counts `(n,)`, as a share of 100."""
    exponent = np.zeros(len(sent))
    for name, weight in TERMS.items():
        tried = sent if name == "bounced" else delivered
        rate = (counts[name] + norms[name] * STRENGTH) / (tried + STRENGTH)
        exponent += weight * np.log(rate / norms[name])
    return np.asarray(1.0 / (1.0 + np.exp(-SWING * exponent)), np.float64)


def poisson_quantiles(means: Floats, at: Floats) -> Floats:
    """Of each distribution the count `(n,)` below which the share `at` lies."""
    chance = np.exp(-means)
    below, count = chance.copy(), 0
    found = np.zeros(len(means))
    while (short := below < at).any() and count < means.max() + 12.0 * np.sqrt(means.max()) + 20.0:
        count += 1
        found += short
        chance = chance * means / count
        below += chance
    return found


def read_norms(home: Home, part: TrainingSet) -> dict[str, Floats]:
    """What the score compares the slates of `part` with `(g,)`; NaN for a slate of which nothing was sent."""
    import duckdb

    names = ", ".join(f"any_value(norm_{name})" for name in TERMS)
    with duckdb.connect(str(home.warehouse), read_only=True) as connection:
        rows = connection.execute(
            f"select tenant, slate_id, {names} from fct_email_scores group by all"  # names above
        ).fetchall()
    known = {f"{tenant}{SEPARATOR}{slate}": values for tenant, slate, *values in rows}
    nothing = [np.nan] * len(TERMS)
    table = np.array([known.get(each, nothing) for each in part.slate_ids])
    return dict(zip(TERMS, table.T, strict=True))
