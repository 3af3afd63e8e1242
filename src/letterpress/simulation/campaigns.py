"""Campaigns of one simulated day: when they are built, for whom, and with which picture."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from letterpress.simulation.world import CAMPAIGN_TYPES, GOALS, SEGMENTS, TENANTS, World

MINUTE = 60_000
"""Times are milliseconds since the epoch."""
HOUR = 60 * MINUTE
DAY = 24 * HOUR

Ints = NDArray[np.int64]

_HOURS = np.array([1, 1, 1, 1, 1, 2, 3, 5, 8, 10, 10, 9, 7, 8, 9, 9, 8, 6, 4, 3, 3, 2, 2, 1], np.float64)
_TENANT_SHARES = np.array([0.24, 0.2, 0.18, 0.15, 0.13, 0.1])
_SLATES_OF_A_CAMPAIGN = (0.5, 0.3, 0.2)
_BUILDERS = 6
"""Of every tenant."""
_MOBILE_CONCENTRATION = 10.0


@dataclass(frozen=True, slots=True)
class Slates:
    """The slates of one day in the order of time, with the context of their campaigns; all (n,)."""

    campaign: Ints
    """Number of the campaign within the day."""
    at: Ints
    tenant: Ints
    industry: Ints
    campaign_type: Ints
    goal: Ints
    segment: Ints
    mobile_share: NDArray[np.float64]
    created_at: Ints
    send_at: Ints
    builder: Ints
    """Number of the builder within the tenant; all slates of a campaign are one session of one builder."""
    picture: Ints

    def __len__(self) -> int:
        return len(self.at)

    def row(self, number: int) -> Slates:
        """The slate `number` alone."""
        return self.part(number, number + 1)

    def part(self, first: int, end: int) -> Slates:
        """The slates from `first` to before `end`."""
        columns = (getattr(self, each.name)[first:end] for each in fields(self))
        return Slates(*columns)


def make_slates(world: World, day: int, begin: int, n_slates: int, rng: np.random.Generator) -> Slates:
    """`n_slates` requests of day `day`, which begins at `begin`, under the conditions of the world."""
    conditions = world.conditions
    counts = rng.choice((1, 2, 3), n_slates, p=_SLATES_OF_A_CAMPAIGN)
    n_campaigns = int(np.searchsorted(np.cumsum(counts), n_slates)) + 1 if n_slates else 0
    owner = np.repeat(np.arange(n_campaigns), counts[:n_campaigns])[:n_slates]
    busy = np.roll(_HOURS, -(begin // HOUR % 24))
    hour = rng.choice(24, n_campaigns, p=busy / busy.sum())
    created = np.sort(begin + hour * HOUR + rng.integers(0, HOUR, n_campaigns))
    tenant = rng.choice(len(TENANTS), n_campaigns, p=_TENANT_SHARES)
    industry = world.tenant_industries[tenant, (rng.random(n_campaigns) < 0.4).astype(np.int64)]
    nth = np.arange(n_slates) - np.searchsorted(owner, owner)
    at = np.minimum(
        created[owner] + (nth * 3 + 1) * MINUTE + rng.integers(0, MINUTE, n_slates), begin + DAY - 1
    )
    mobile = _MOBILE_CONCENTRATION * conditions.mobile_share
    columns: dict[str, NDArray[Any]] = {
        "campaign": np.arange(n_campaigns),
        "tenant": tenant,
        "industry": industry,
        "campaign_type": rng.choice(len(CAMPAIGN_TYPES), n_campaigns, p=conditions.campaign_type_shares),
        "goal": rng.integers(0, len(GOALS), n_campaigns),
        "segment": rng.choice(len(SEGMENTS), n_campaigns, p=conditions.segment_shares),
        "mobile_share": np.round(rng.beta(mobile, _MOBILE_CONCENTRATION - mobile, n_campaigns), 3),
        "created_at": created,
        "send_at": created + rng.integers(20 * MINUTE, 120 * MINUTE, n_campaigns),
        "builder": rng.integers(0, _BUILDERS, n_campaigns),
    }
    order = np.argsort(at, kind="stable")
    spread = {name: values[owner][order] for name, values in columns.items()}
    picture = _choose_pictures(world, day, spread["tenant"], rng)
    return Slates(at=at[order], picture=picture, **spread)


def _choose_pictures(world: World, day: int, tenant: Ints, rng: np.random.Generator) -> Ints:
    """A picture of the tenant for every slate; new ones are used most, none before it came."""
    age = day - world.picture_days
    recency, floor = world.conditions.recency_days, world.conditions.recency_floor
    weight = np.where(age >= 0, np.exp(-np.maximum(age, 0) / recency) + floor, 0.0)
    chosen = np.empty(len(tenant), np.int64)
    for each in range(len(TENANTS)):
        mine = np.flatnonzero(tenant == each)
        own = np.where(world.picture_tenants == each, weight, 0.0)
        chosen[mine] = rng.choice(len(own), len(mine), p=own / own.sum())
    return chosen
